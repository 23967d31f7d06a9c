/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_RX_H
#define WEFT_RX_H

#include "stages/stage.h"

/* The engine's own drops are told of here, as the cycles of receiving and steering are. */
enum rx_drop {
	RX_PATH_FULL,
	RX_INBOX_FULL,
	RX_VERDICT_UNKNOWN,
};

#endif
