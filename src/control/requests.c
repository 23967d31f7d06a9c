/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/requests.h"

#include <pthread.h>
#include <stddef.h>

#include "control/answer.h"

/* Control threads only; no lcore ever takes the mutex. */
static struct {
	pthread_mutex_t mutex;
	bool open;
	void (*wake)(void);
	struct request *first;
} queue = {.mutex = PTHREAD_MUTEX_INITIALIZER};

void requests_open(void (*wake)(void))
{
	pthread_mutex_lock(&queue.mutex);
	queue.wake = wake;
	queue.open = true;
	pthread_mutex_unlock(&queue.mutex);
}

static bool put(struct request *request)
{
	struct request **end = &queue.first;
	bool open;

	pthread_mutex_lock(&queue.mutex);
	while (*end != NULL)
		end = &(*end)->next;
	open = queue.open;
	if (open)
		*end = request;
	pthread_mutex_unlock(&queue.mutex);
	return open;
}

static struct request *take(void)
{
	struct request *request;

	pthread_mutex_lock(&queue.mutex);
	request = queue.first;
	if (request != NULL)
		queue.first = request->next;
	pthread_mutex_unlock(&queue.mutex);
	return request;
}

int request_run(struct request *request)
{
	request->later = false;
	request->next = NULL;
	sem_init(&request->done, 0, 0);
	if (!put(request)) {
		sem_destroy(&request->done);
		return -1;
	}
	queue.wake();
	while (sem_wait(&request->done) != 0)
		; /* interrupted by a signal */
	sem_destroy(&request->done);
	return 0;
}

void request_done(void *argument)
{
	struct request *request = argument;

	sem_post(&request->done);
}

void requests_poll(struct control *control)
{
	struct request *request;

	while ((request = take()) != NULL) {
		request->handler(control, request);
		if (!request->later)
			request_done(request);
	}
}

void requests_close(void)
{
	struct request *request;

	pthread_mutex_lock(&queue.mutex);
	queue.open = false;
	pthread_mutex_unlock(&queue.mutex);
	while ((request = take()) != NULL) {
		answer_text(request->data, "error: weft is ending");
		request_done(request);
	}
}
