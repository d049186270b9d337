// A stand-in for cuSOLVER's header, as far as libtorch's own headers name it. NVIDIA's comes in a
// wheel of hundreds of megabytes, of which nothing else is used.
#pragma once

#include "cusolver_common.h"

typedef struct cusolverDnContext* cusolverDnHandle_t;
