#include "builder/checksum.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/sha256.h"
#include "base/strbuf.h"

#define PREFIX_LEN 7
#define BLOCK      65536

static const struct {
	const char *prefix;
	size_t digits;
} algorithms[] = {{"sha256:", 64}, {"sha384:", 96}, {"sha512:", 128}};

int checksum_parse(const char *text, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
		const char *hex = text + PREFIX_LEN;

		if (!str_starts(text, algorithms[i].prefix))
			continue;
		if (strlen(hex) == algorithms[i].digits &&
		    strspn(hex, "0123456789abcdef") == algorithms[i].digits)
			return 0;
		return error_set(err, ERROR_SYNTAX,
				 "--checksum=%s: expected %zu lower-case hex digits after %s", text,
				 algorithms[i].digits, algorithms[i].prefix);
	}
	error_set(err, ERROR_SYNTAX, "--checksum=%s: invalid checksum digest format", text);
	return error_hint(err, "A URL is checked with sha256:, sha384: or sha512: and hex digits.");
}

/* Whichever of the three the checksum is of. */
struct summing {
	size_t digits;
	struct sha256 short_hash;
	struct sha512 long_hash;
};

static void summing_release(struct summing *s)
{
	sha256_release(&s->short_hash);
	sha512_release(&s->long_hash);
}

CLEANUP_RELEASE(summing)

static void add(struct summing *s, const void *data, size_t len)
{
	if (s->digits == 64)
		sha256_update(&s->short_hash, data, len);
	else if (s->digits == 96)
		sha384_update(&s->long_hash, data, len);
	else
		sha512_update(&s->long_hash, data, len);
}

static void finish(struct summing *s, char hex[129])
{
	/* also of no bytes at all */
	add(s, "", 0);
	if (s->digits == 64)
		sha256_final_hex(&s->short_hash, hex);
	else if (s->digits == 96)
		sha384_final_hex(&s->long_hash, hex);
	else
		sha512_final_hex(&s->long_hash, hex);
}

int checksum_verify(const char *text, int fd, const char *name, struct error *err)
{
	AUTO_FREE char *block = xmalloc(BLOCK);
	AUTO(summing) s = {0};
	char hex[129];
	ssize_t n;

	if (checksum_parse(text, err) < 0)
		return -1;
	s.digits = strlen(text) - PREFIX_LEN;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_errno(err, "read what came from %s", name);
	while ((n = read(fd, block, BLOCK)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "read what came from %s", name);
		add(&s, block, (size_t)n);
	}
	finish(&s, hex);
	if (strcmp(hex, text + PREFIX_LEN) == 0)
		return 0;
	return error_set(err, ERROR_CORRUPT, "ADD %s: --checksum is %s, its bytes have %.7s%s",
			 name, text, text, hex);
}
