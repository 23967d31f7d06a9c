/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_GRO_H
#define WEFT_GRO_H

#include "stages/stage.h"

/* Drops of this stage's packets by the engine; the stage's own come after them. */
enum gro_drop {
	GRO_VTEP_SPLIT,
	GRO_DROPS,
};

#endif
