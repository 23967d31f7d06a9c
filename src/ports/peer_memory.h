/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_PEER_MEMORY_H
#define WEFT_PEER_MEMORY_H

#include <stddef.h>

/*
 * Memory that a container shares with weft can be taken away under weft's feet: the container
 * truncates the file, and the next access raises SIGBUS. Mappings entered here are guarded: the
 * fault is answered by putting anonymous memory in the mapping's place, so only that container's
 * packets are lost. Entries are made and removed by control threads; the handler only reads. Of a
 * mapping that is not entered (librte_vhost's), the page that faulted is replaced.
 */

/* Installs the SIGBUS handler, at start; again if another library has replaced it. */
void peer_memory_init(void);

/* Guards [base, base + size), page-aligned. Returns -1 when the table is full. */
int peer_memory_add(void *base, size_t size);

/* Ends the guard; before the mapping is unmapped. */
void peer_memory_remove(void *base);

/* True if a guarded mapping at `base` was taken away since it was entered. */
int peer_memory_lost(const void *base);

#endif
