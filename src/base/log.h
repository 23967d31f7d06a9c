/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_LOG_H
#define WEFT_LOG_H

#include <rte_log.h>

/* RTE_LOG(NOTICE, weft, ...) begins its line with "weft: "; to EAL's --log-level it is "user1". */
#define RTE_LOGTYPE_weft RTE_LOGTYPE_USER1

#endif
