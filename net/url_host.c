#include "net/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

struct range {
	uint32_t base;
	int bits;
};

/* IPv4 networks that are not the public internet (RFC 6890, RFC 5771, RFC 6598). */
static const struct range INTERNAL_IPV4[] = {
	{0x00000000, 8},  /* this host */
	{0x0a000000, 8},  /* private */
	{0x64400000, 10}, /* shared by a carrier */
	{0x7f000000, 8},  /* loopback */
	{0xa9fe0000, 16}, /* link-local: cloud metadata */
	{0xac100000, 12}, /* private */
	{0xc0000000, 24}, /* protocol assignments: metadata of some clouds */
	{0xc0a80000, 16}, /* private */
	{0xe0000000, 4},  /* multicast */
	{0xf0000000, 4},  /* reserved, broadcast */
};

static bool ipv4_internal(uint32_t address)
{
	size_t n = sizeof(INTERNAL_IPV4) / sizeof(INTERNAL_IPV4[0]);

	for (size_t i = 0; i < n; i++) {
		uint32_t mask = 0xffffffffu << (32 - INTERNAL_IPV4[i].bits);

		if ((address & mask) == INTERNAL_IPV4[i].base)
			return true;
	}
	return false;
}

static uint32_t word_at(const struct in6_addr *a, int i)
{
	const uint8_t *b = a->s6_addr + i;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* The IPv4 address that an IPv6 one stands for: mapped, compatible, NAT64 (64:ff9b::/96), 6to4 (2002::/16). */
static bool ipv6_embedded(const struct in6_addr *a, uint32_t *address)
{
	if (IN6_IS_ADDR_V4MAPPED(a) || IN6_IS_ADDR_V4COMPAT(a) ||
	    (word_at(a, 0) == 0x0064ff9b && word_at(a, 4) == 0 && word_at(a, 8) == 0)) {
		*address = word_at(a, 12);
		return true;
	}
	if (word_at(a, 0) >> 16 == 0x2002) {
		*address = word_at(a, 2);
		return true;
	}
	return false;
}

static bool ipv6_internal(const struct in6_addr *a)
{
	uint32_t embedded;

	if (IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_UNSPECIFIED(a) || IN6_IS_ADDR_LINKLOCAL(a) ||
	    IN6_IS_ADDR_SITELOCAL(a) || IN6_IS_ADDR_MULTICAST(a) || (a->s6_addr[0] & 0xfe) == 0xfc)
		return true;
	return ipv6_embedded(a, &embedded) && ipv4_internal(embedded);
}

/* Copies host without brackets and without the final dot of a name; false when it is too long to be either. */
static bool plain_host(const char *host, char out[256])
{
	size_t len = strlen(host);

	if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	if (len > 0 && host[len - 1] == '.')
		len--;
	if (len >= 256)
		return false;
	memcpy(out, host, len);
	out[len] = '\0';
	return true;
}

static bool is_localhost(const char *name)
{
	size_t len = strlen(name);

	return strcasecmp(name, "localhost") == 0 ||
	       (len > 10 && strcasecmp(name + len - 10, ".localhost") == 0);
}

bool url_host_is_loopback(const char *host)
{
	struct in6_addr six;
	struct in_addr four;
	char plain[256];

	if (!plain_host(host, plain))
		return false;
	if (inet_aton(plain, &four))
		return ntohl(four.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, plain, &six) == 1)
		return IN6_IS_ADDR_LOOPBACK(&six) ||
		       (IN6_IS_ADDR_V4MAPPED(&six) && word_at(&six, 12) >> 24 == 127);
	return is_localhost(plain);
}

bool url_host_is_internal(const char *host)
{
	struct in6_addr six;
	struct in_addr four;
	char plain[256];

	if (!plain_host(host, plain))
		return false;
	if (inet_aton(plain, &four))
		return ipv4_internal(ntohl(four.s_addr));
	if (inet_pton(AF_INET6, plain, &six) == 1)
		return ipv6_internal(&six);
	return is_localhost(plain);
}
