/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_MEMIF_PROTOCOL_H
#define WEFT_MEMIF_PROTOCOL_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_common.h>

/*
 * The memif 2.0 wire format, as the server sees it. The client makes the shared memory and passes
 * it over a unix SEQPACKET socket, one message a packet:
 *
 *   server: HELLO
 *   client: INIT, ADD_REGION..., ADD_RING..., CONNECT   server: ACK to each, CONNECTED to the last
 *   either: DISCONNECT
 *
 * "From client" rings carry packets to the server: the client moves `head` past descriptors it has
 * filled, the server moves `tail` past those it has read. "To client" rings carry empty buffers:
 * the client moves `head` past those it offers, the server moves `tail` past those it has filled.
 */
#define MEMIF_COOKIE 0x03e31f20u
#define MEMIF_VERSION 0x0200
#define MEMIF_NAME_SIZE 32
#define MEMIF_REASON_SIZE 96
#define MEMIF_MODE_ETHERNET 0
#define MEMIF_RING_FROM_CLIENT 1  /* in memif_add_ring.flags */
#define MEMIF_RING_NO_INTERRUPT 1 /* in memif_ring.flags: the reader polls */
#define MEMIF_DESCRIPTOR_NEXT 1	  /* the frame goes on in the next descriptor */

enum memif_message_type {
	MEMIF_ACK = 1,
	MEMIF_HELLO,
	MEMIF_INIT,
	MEMIF_ADD_REGION,
	MEMIF_ADD_RING,
	MEMIF_CONNECT,
	MEMIF_CONNECTED,
	MEMIF_DISCONNECT,
};

struct memif_hello {
	char name[MEMIF_NAME_SIZE];
	uint16_t version_min;
	uint16_t version_max;
	uint16_t region_max; /* highest index, as are the next two */
	uint16_t ring_to_client_max;
	uint16_t ring_from_client_max;
	uint8_t log2_ring_size_max;
} __rte_packed;

struct memif_init {
	uint16_t version;
	uint32_t interface;
	uint8_t mode;
	char secret[24];
	char name[MEMIF_NAME_SIZE];
} __rte_packed;

struct memif_add_region { /* with the file that holds it */
	uint16_t index;
	uint64_t size;
} __rte_packed;

struct memif_add_ring { /* with the eventfd of its interrupt */
	uint16_t flags;
	uint16_t index;
	uint16_t region;
	uint32_t offset;
	uint8_t log2_size;
	uint16_t private_header_size;
} __rte_packed;

struct memif_connect { /* CONNECT and CONNECTED */
	char name[MEMIF_NAME_SIZE];
} __rte_packed;

struct memif_disconnect {
	uint32_t code;
	char reason[MEMIF_REASON_SIZE];
} __rte_packed;

struct memif_message {
	uint16_t type;
	union {
		struct memif_hello hello;
		struct memif_init init;
		struct memif_add_region add_region;
		struct memif_add_ring add_ring;
		struct memif_connect connect;
		struct memif_disconnect disconnect;
		uint8_t bytes[126];
	};
} __rte_packed;

static_assert(sizeof(struct memif_message) == 128, "every message is 128 bytes");
static_assert(offsetof(struct memif_message, hello) == 2, "bodies are not aligned");
static_assert(offsetof(struct memif_init, name) == 31, "no padding before the name");
static_assert(offsetof(struct memif_add_ring, log2_size) == 10, "no padding before the offset");

union memif_descriptor {
	struct {
		uint16_t flags;
		uint16_t region;
		uint32_t length;
		uint32_t offset;
		uint32_t metadata;
	};
	uint64_t words[2]; /* read and written whole: flags, region and length; offset and metadata
			    */
};

struct memif_ring {
	uint32_t cookie;
	uint16_t flags; /* of the reader's side */
	uint16_t head;	/* of the client's side */
	uint8_t unused0[56];
	uint16_t tail; /* of the server's side */
	uint8_t unused1[62];
	union memif_descriptor descriptors[];
};

static_assert(sizeof(union memif_descriptor) == 16, "descriptor layout");
static_assert(offsetof(struct memif_ring, head) == 6, "ring layout");
static_assert(offsetof(struct memif_ring, tail) == 64, "ring layout");
static_assert(offsetof(struct memif_ring, descriptors) == 128, "ring layout");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "descriptor words are taken apart so");

#endif
