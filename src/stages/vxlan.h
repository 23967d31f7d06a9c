/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_VXLAN_H
#define WEFT_VXLAN_H

#include <rte_byteorder.h>

#define VXLAN_FLAG_I RTE_BE32(0x08000000) /* the VNI is valid (RFC 7348) */

#endif
