/* Options that have an effect in some runs only. Somebody who gives one where it does nothing expects
 * something of it.
 */
#ifndef NOPOOL_EFFECT_H
#define NOPOOL_EFFECT_H

#include "options.h"

/* Whether the option of this name changes anything in a run with these options; if not, the sentence says
 * what it needs. */
bool option_has_effect(const char *name, const Options *options, Error *error);

#endif
