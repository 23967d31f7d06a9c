/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rte_common.h>

#include "ports/kick.h"

/*
 * A peer that wants interrupts gives us an eventfd. Writing to it could stall an lcore for good:
 * the file's flags are the peer's too, so it can take O_NONBLOCK away and fill the counter. The
 * kernel's own signal for "asynchronous request done" never waits, and is accepted for eventfds
 * only. So a kick is a request that is done at once (is a readable file readable?), with the
 * peer's eventfd as the one to tell. The completions are of no interest and are thrown away when
 * their ring is full. One context serves the process; the kernel lets any thread use it.
 */
#define COMPLETIONS 512

static aio_context_t context;
static int readable = -1; /* an eventfd that nobody reads */

int kick_init(void)
{
	if (context == 0 && syscall(SYS_io_setup, COMPLETIONS, &context) != 0)
		return -1;
	if (readable < 0)
		readable = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	return readable < 0 ? -1 : 0;
}

static void completions_discard(void)
{
	struct io_event events[64];
	struct timespec now = {0};

	while (syscall(SYS_io_getevents, context, 0, RTE_DIM(events), events, &now) ==
		RTE_DIM(events))
		;
}

int kick(int event_fd)
{
	struct iocb request = {
		.aio_lio_opcode = IOCB_CMD_POLL,
		.aio_fildes = readable,
		.aio_buf = POLLIN,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = event_fd,
	};
	struct iocb *requests[] = {&request};

	if (syscall(SYS_io_submit, context, 1, requests) == 1)
		return 0;
	if (errno != EAGAIN)
		return -1;
	completions_discard();
	return syscall(SYS_io_submit, context, 1, requests) == 1 ? 0 : -1;
}
