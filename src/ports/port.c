/* SPDX-License-Identifier: BSD-3-Clause */
#include "ports/port.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/counter.h"
#include "base/log.h"

#define QUIESCE_STEP_US 50
#define LINES_PER_SECOND 10 /* of a port's, in the log */

extern const struct port_ops uplink_port_ops;
extern const struct port_ops interface_port_ops;
extern const struct port_ops vhost_port_ops;
extern const struct port_ops memif_port_ops;
extern const struct port_ops tap_port_ops;
extern const struct port_ops vhost_net_port_ops;

/* Types of container ports. */
static const struct port_ops *const port_types[] = {
	&vhost_port_ops,
	&memif_port_ops,
	&tap_port_ops,
	&vhost_net_port_ops,
};

/* An uplink's type follows from what it is at. */
static const struct port_ops *const uplink_types[] = {
	&uplink_port_ops,
	&interface_port_ops,
};

/* What stands in for all types, or NULL. */
static const struct port_ops *stand_in;

const struct port_ops *port_type_find(const char *type)
{
	if (stand_in != NULL)
		return stand_in;
	for (size_t i = 0; i < RTE_DIM(uplink_types); i++)
		if (strcmp(type, uplink_types[i]->type) == 0)
			return uplink_types[i];
	for (size_t i = 0; i < RTE_DIM(port_types); i++)
		if (strcmp(type, port_types[i]->type) == 0)
			return port_types[i];
	return NULL;
}

void port_types_replace(const struct port_ops *ops)
{
	stand_in = ops;
}

bool port_types_are_replaced(void)
{
	return stand_in != NULL;
}

void port_type_list(char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = 0; i < RTE_DIM(port_types); i++)
		snprintf(text + strlen(text), size - strlen(text), "%s, ", port_types[i]->type);
	snprintf(text + strlen(text), size - strlen(text), "%s", PORT_TYPE_IN_PROCESS);
}

const char *port_interface(const struct port *port)
{
	return port->config.interface[0] ? port->config.interface : port->config.name;
}

/* ---- status ---- */

/* Of all ports: each says something now and then only. */
static pthread_mutex_t status_mutex = PTHREAD_MUTEX_INITIALIZER;

static void make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

/* Whether the log takes another line; if so, *left_out are to be told of. With the mutex. */
static bool may_log(struct port *port, unsigned int *left_out)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec != port->log.second) {
		port->log.second = now.tv_sec;
		port->log.lines = 0;
	}
	if (port->log.lines == LINES_PER_SECOND) {
		port->log.left_out++;
		return false;
	}
	port->log.lines++;
	*left_out = port->log.left_out;
	port->log.left_out = 0;
	return true;
}

static void log_line(const struct port *port, const char *text, unsigned int left_out)
{
	if (left_out > 0)
		RTE_LOG(NOTICE, weft, "port %s: %u more lines left out\n", port->config.name,
			left_out);
	RTE_LOG(NOTICE, weft, "port %s: %s\n", port->config.name, text);
}

void port_report(struct port *port, const char *format, ...)
{
	char status[PORT_STATUS_SIZE];
	unsigned int left_out;
	va_list arguments;
	bool is_told;

	va_start(arguments, format);
	vsnprintf(status, sizeof(status), format, arguments);
	va_end(arguments);
	make_printable(status);
	pthread_mutex_lock(&status_mutex);
	is_told = strcmp(port->status, status) != 0 && may_log(port, &left_out);
	memcpy(port->status, status, sizeof(status));
	pthread_mutex_unlock(&status_mutex);
	if (is_told)
		log_line(port, status, left_out);
}

void port_log(struct port *port, const char *format, ...)
{
	char text[PORT_STATUS_SIZE];
	unsigned int left_out;
	va_list arguments;
	bool is_told;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	make_printable(text);
	pthread_mutex_lock(&status_mutex);
	is_told = may_log(port, &left_out);
	pthread_mutex_unlock(&status_mutex);
	if (is_told)
		log_line(port, text, left_out);
}

void port_status(const struct port *port, char status[PORT_STATUS_SIZE])
{
	pthread_mutex_lock(&status_mutex);
	memcpy(status, port->status, PORT_STATUS_SIZE);
	pthread_mutex_unlock(&status_mutex);
}

/* ---- one lcore at a ring of our own ---- */

uint16_t port_receive_alone(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct reservation reservation;
	uint16_t received = port->ops->claim(port, queue, n, &reservation);

	if (received == 0)
		return 0;
	port->ops->collect(port, &reservation, mbufs);
	port->ops->publish(port, &reservation);
	return received;
}

/* The owner of two queues that send by the same ring is alone at both: none is taken. */
uint16_t port_send_alone(struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct reservation reservation;
	int sent, all = 0;

	reservation.later = false;
	while (all < n) {
		sent = port->ops->reserve(port, queue, mbufs + all, n - all, &reservation);
		if (sent <= 0)
			break;
		port->ops->fill(port, &reservation, mbufs + all);
		port->ops->publish(port, &reservation);
		all += sent;
	}
	rte_pktmbuf_free_bulk(mbufs, all);
	return all;
}

/* ---- lcores and counters ---- */

void port_quiesce(const struct port *port)
{
	uint64_t token = rte_rcu_qsbr_start(port->environment.rcu);

	while (!rte_rcu_qsbr_check(port->environment.rcu, token, false))
		usleep(QUIESCE_STEP_US);
}

struct port_counters port_count(const struct port *port)
{
	struct port_counters sum = {0};

	for (uint16_t i = 0; i < port->n_queues; i++) {
		const struct port_counters *counters = &port->queues[i].counters;

		sum.rx_packets += counter_read(&counters->rx_packets);
		sum.rx_bytes += counter_read(&counters->rx_bytes);
		sum.tx_packets += counter_read(&counters->tx_packets);
		sum.tx_bytes += counter_read(&counters->tx_bytes);
		sum.tx_refused += counter_read(&counters->tx_refused);
	}
	return sum;
}

uint64_t port_missed(struct port *port)
{
	return port->ops->missed == NULL ? 0 : port->ops->missed(port);
}
