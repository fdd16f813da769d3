#include "local/ecs_name.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/random.h"
#include "base/time.h"

void ecs_hex_id(char out[ECS_ID_SIZE])
{
	random_hex(out, 32);
}

void ecs_uuid(char out[ECS_ID_SIZE])
{
	char hex[ECS_ID_SIZE];

	ecs_hex_id(hex);
	/* RFC 9562, version 4 */
	(void)snprintf(out, ECS_ID_SIZE, "%.8s-%.4s-4%.3s-a%.3s-%.12s", hex, hex + 8, hex + 13,
		       hex + 17, hex + 20);
}

void ecs_number_id(char out[ECS_ID_SIZE])
{
	random_letters(out, 1, "123456789");
	random_letters(out + 1, 18, "0123456789");
}

char *ecs_arn_beside(const char *cluster_arn, const char *fmt, ...)
{
	const char *end = strrchr(cluster_arn, ':');
	int len = end ? (int)(end - cluster_arn) : 0;
	AUTO_FREE char *what = NULL;
	va_list ap;

	va_start(ap, fmt);
	what = xstrvfmt(fmt, ap);
	va_end(ap);
	return xstrfmt("%.*s:%s", len, cluster_arn, what);
}

bool ecs_name_is_valid(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789_-");

	return len > 0 && len <= 255 && !name[len];
}

char *ecs_service_key(const char *cluster, const char *service)
{
	return xstrfmt("%s/%s", cluster, path_base(service));
}

double ecs_now(void)
{
	/* Milliseconds, as AWS writes them: a number with more digits would not survive being written and read. */
	const int64_t ms = time_now_ns() / 1000000;

	return (double)ms / 1000;
}
