/* What a stranger sends to the embedded registry: target, Range, Content-Range, Authorization and Host, a line each. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "oci/reference.h"
#include "oci/repository.h"
#include "server/guard.h"
#include "server/range.h"
#include "server/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_route(const char *target)
{
	AUTO(route) r = {0};

	route_parse(&r, target);
	if (r.problem != ROUTE_FINE)
		return;
	check(!r.repository || repository_is_name(r.repository));
	if (r.kind == ROUTE_BLOB || r.kind == ROUTE_REFERRERS)
		check(digest_is_set(&r.digest));
	if (r.kind == ROUTE_MANIFEST)
		check(digest_is_set(&r.digest) || !image_ref_check_tag(r.reference));
	if (r.kind == ROUTE_UPLOAD)
		check(strlen(r.reference) == 32);
}

static void check_ranges(const char *range, const char *content)
{
	static const int64_t sizes[] = {0, 1, 1000, 1ll << 42};
	int64_t first, last;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		if (range_parse(range, sizes[i], &first, &last) == RANGE_PART)
			check(first >= 0 && first <= last && last < sizes[i]);
	if (range_parse_content(content, &first, &last))
		check(first >= 0 && first <= last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = xstrndup((const char *)data, size);
	AUTO(strlist) lines = STRLIST_INIT;
	AUTO_FREE char *user = NULL;
	AUTO_FREE char *password = NULL;

	strlist_split(&lines, text, '\n');
	while (lines.n < 5)
		strlist_add(&lines, "");
	check_route(lines.items[0]);
	check_ranges(lines.items[1], lines.items[2]);
	if (guard_parse_basic(lines.items[3], &user, &password))
		check(user && password && !strchr(user, ':'));
	guard_is_local_host(lines.items[4]);
	return 0;
}
