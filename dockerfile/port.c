#include "dockerfile/port.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "dockerfile/value.h"

#define N_PORTS 65536u

static const char *const protocols[] = {"tcp", "udp", "sctp"};

/* More than that in one EXPOSE is no work for a build. */
#define MAX_SPECS 65536u

struct port_map {
	size_t n_specs;
	uint8_t seen[ARRAY_SIZE(protocols)][N_PORTS / 8];
};

struct port_map *port_map_new(void)
{
	return xcalloc(1, sizeof(struct port_map));
}

void port_map_free(struct port_map *map)
{
	free(map);
}

static bool range_parse(const char *text, uint64_t *first, uint64_t *last)
{
	AUTO_FREE char *copy = xstrdup(text);
	char *dash = strchr(copy, '-');

	if (dash)
		*dash = '\0';
	if (!value_number(first, copy, 10, N_PORTS - 1))
		return false;
	*last = *first;
	return !dash || (value_number(last, dash + 1, 10, N_PORTS - 1) && *last >= *first);
}

static int check_address(const char *ip, struct error *err)
{
	AUTO_FREE char *bare = xstrdup(ip);
	unsigned char parsed[16];
	size_t len = strlen(bare);
	const char *at = bare;

	if (len >= 2 && bare[0] == '[' && bare[len - 1] == ']') {
		bare[len - 1] = '\0';
		at = bare + 1;
	}
	if (inet_pton(AF_INET, at, parsed) == 1 || inet_pton(AF_INET6, at, parsed) == 1)
		return 0;
	return error_set(err, ERROR_SYNTAX, "invalid IP address: %s", ip);
}

/* What stands before the container's port: "host" or "ip:host". */
static int check_host(char *host, uint64_t count, const char *port, struct error *err)
{
	char *colon = strrchr(host, ':');
	uint64_t first, last;

	if (colon) {
		*colon = '\0';
		if (*host && check_address(host, err) < 0)
			return -1;
		host = colon + 1;
	}
	if (!*host)
		return 0;
	if (!range_parse(host, &first, &last))
		return error_set(err, ERROR_SYNTAX, "invalid hostPort: %s", host);
	if (count > 1 && last - first + 1 != count)
		return error_set(err, ERROR_SYNTAX,
				 "invalid ranges specified for container and host Ports: %s and %s",
				 port, host);
	return 0;
}

int port_map_add(struct port_map *map, const char *spec, struct strlist *out, struct error *err)
{
	AUTO_FREE char *copy = xstrdup(spec);
	char *colon = strrchr(copy, ':');
	char *port = colon ? colon + 1 : copy;
	char *slash = strchr(port, '/');
	const char *name = slash && slash[1] ? slash + 1 : protocols[0];
	uint64_t first, last, i;
	size_t proto;

	if (slash)
		*slash = '\0';
	if (colon)
		*colon = '\0';
	if (!*port)
		return error_set(err, ERROR_SYNTAX, "no port specified: %s", spec);
	for (proto = 0; proto < ARRAY_SIZE(protocols); proto++)
		if (strcasecmp(name, protocols[proto]) == 0)
			break;
	if (proto == ARRAY_SIZE(protocols))
		return error_set(err, ERROR_SYNTAX,
				 "invalid proto: %s (tcp, udp or sctp is expected)", name);
	if (!range_parse(port, &first, &last))
		return error_set(err, ERROR_SYNTAX,
				 "invalid containerPort: %s (a number from 0 to 65535, or a range "
				 "of them, is expected)",
				 port);
	if (colon && check_host(copy, last - first + 1, port, err) < 0)
		return -1;
	if (++map->n_specs > MAX_SPECS)
		return error_set(err, ERROR_SYNTAX, "more than %u ports or ranges", MAX_SPECS);
	for (i = first; out && i <= last; i++) {
		uint8_t *byte = &map->seen[proto][i / 8];
		uint8_t bit = (uint8_t)(1u << (i % 8));

		if (*byte == 0xFF) {
			i |= 7;
			continue;
		}
		if (!(*byte & bit))
			strlist_addf(out, "%u/%s", (unsigned)i, protocols[proto]);
		*byte |= bit;
	}
	return 0;
}
