/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_REQUESTS_H
#define WEFT_REQUESTS_H

#include <semaphore.h>
#include <stdbool.h>

#include <rte_telemetry.h>

#include "control/control.h"

/*
 * Commands from outside. DPDK runs a telemetry callback on a thread of its client; the callback
 * hands a request to the main lcore, which alone touches the control side, and sleeps until the
 * answer is there.
 */
struct request;

/* Answers into *data. A command that is not finished when it returns sets request->later and calls
 * request_done() when it is. */
typedef void (*request_handler)(struct control *control, struct request *request);

struct request {
	request_handler handler;
	const char *parameters; /* "" if none */
	struct rte_tel_data *data;
	bool later;
	sem_t done;
	struct request *next;
};

/* Opens for requests; `wake` is called, on the client's thread, when one has come. */
void requests_open(void (*wake)(void));

/* Any thread but the main lcore's: runs the handler there and waits. -1 when weft is ending. */
int request_run(struct request *request);

/* Main lcore: answers what has come. */
void requests_poll(struct control *control);

/* The answer is complete; takes struct request * (for deferred_add). */
void request_done(void *request);

/* Refuses what is waiting and what still comes. Main lcore. */
void requests_close(void);

#endif
