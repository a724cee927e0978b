/* A folder has one owner: a lock that ends with the process that holds it, however that ends. */
#ifndef NOPOOL_LOCK_H
#define NOPOOL_LOCK_H

#include "error.h"

/* Locks the folder by its file `lock`, which keeps who did. *descriptor is for folder_unlock; -1 where the
 * file system knows no locks. Refused with the number of the process that holds it. */
bool folder_lock(int *descriptor, const char *folder, Error *error);
void folder_unlock(int descriptor);

#endif
