/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/answer.h"

#include <stdio.h>
#include <string.h>

#include "base/spelling.h"
#include "control/value.h"

/* The library's writer of JSON takes a byte as a signed index into a table, and leaves out most
 * control characters: so each text is spelt. */

void answer_text(struct rte_tel_data *data, const char *text)
{
	char spelling[4 * sizeof(((struct error *)0)->text)];

	spell(text, spelling, sizeof(spelling));
	rte_tel_data_string(data, spelling);
}

void answer_add_text(struct rte_tel_data *row, const char *name, const char *text)
{
	char spelling[RTE_TEL_MAX_STRING_LEN];

	spell(text, spelling, sizeof(spelling));
	rte_tel_data_add_dict_string(row, name, spelling);
}

struct answer_list answer_start_list(struct request *request)
{
	rte_tel_data_start_dict(request->data);
	return (struct answer_list){.data = request->data};
}

struct rte_tel_data *answer_add_row(struct answer_list *list)
{
	struct rte_tel_data *row = rte_tel_data_alloc();
	char number[16];

	snprintf(number, sizeof(number), "%u", list->n++);
	rte_tel_data_start_dict(row);
	rte_tel_data_add_dict_container(list->data, number, row, 0);
	return row;
}

bool answer_is_full(
	const struct answer_list *list, unsigned int page, struct request *request, uint32_t next)
{
	if (list->n < page)
		return false;
	rte_tel_data_add_dict_u64(request->data, "next", next);
	return true;
}

void answer_add_mac(struct rte_tel_data *row, const char *name, const struct rte_ether_addr *mac)
{
	char text[RTE_ETHER_ADDR_FMT_SIZE];

	rte_ether_format_addr(text, sizeof(text), mac);
	answer_add_text(row, name, text);
}

void answer_add_address(struct rte_tel_data *row, const char *name, const struct address *address)
{
	char text[ADDRESS_TEXT_SIZE];

	answer_add_text(row, name, address_format(address, text));
}

void answer_add_lcores(struct rte_tel_data *row, const char *name,
	const struct dataplane *dataplane, uint64_t lcores)
{
	char text[RTE_TEL_MAX_STRING_LEN] = "";

	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		if (lcores >> i & 1)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u",
				text[0] ? " " : "", dataplane->lcore_ids[i]);
	answer_add_text(row, name, text);
}

void answer_error(struct request *request, const struct error *error)
{
	char text[sizeof(error->text) + 8];

	snprintf(text, sizeof(text), "error: %s", error->text);
	answer_text(request->data, text);
}

void answer_done(struct request *request, const char *what, const char *name)
{
	rte_tel_data_start_dict(request->data);
	answer_add_text(request->data, what, name);
}

uint32_t answer_first_row(const char *text, uint32_t end)
{
	uint64_t row = 0;

	if (*text == '\0')
		return 0;
	return parse_number(text, 0, end, &row) == 0 ? row : end;
}
