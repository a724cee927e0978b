/* Where each number of the network stands (training_network.h): how many filters a layer has and in what
 * shape. The order of the parameters in their array is that of random.h, whose draws are keyed by it. */
#ifndef NOPOOL_REF_TRAINING_PLACES_H
#define NOPOOL_REF_TRAINING_PLACES_H

#include "training_network.h"

/* Layer l as a convolution of n images: the first reads the images, the last has one channel a class (choice
 * "head"). */
Conv2dShape plain_block(const PlainNetworkShape *s, int l, int n);

/* MBConv (choice "mbconv"): whether layer l is one; its E = 6 C, and Q = C / 4, at least 1. */
bool plain_is_mbconv(const PlainNetworkShape *s, int l);
int plain_expanded(Conv2dShape block);
int plain_squeezed(Conv2dShape block);

/* Numbers of layer l: the weights that meet every pixel; all of a set's weights; a set with its bias; how
 * many sets there are, one for all levels or one each; and all that SGD trains, affine maps included. */
size_t plain_pixel_weights(const PlainNetworkShape *s, int l);
size_t plain_layer_weights(const PlainNetworkShape *s, int l);
size_t plain_set_filters(const PlainNetworkShape *s, int l);
size_t plain_sets(const PlainNetworkShape *s);
size_t plain_layer_filters(const PlainNetworkShape *s, int l);

#endif
