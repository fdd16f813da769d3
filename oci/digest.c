#include "oci/digest.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

#define SHA256_PREFIX "sha256:"
#define SHA512_PREFIX "sha512:"
#define PREFIX_LEN    7
#define READ_CHUNK    (256u << 10)

static size_t hex_length(const char *text)
{
	if (strncmp(text, SHA256_PREFIX, PREFIX_LEN) == 0)
		return 64;
	if (strncmp(text, SHA512_PREFIX, PREFIX_LEN) == 0)
		return 128;
	return 0;
}

int digest_parse(struct digest *out, const char *text, struct error *err)
{
	size_t want = hex_length(text);

	if (!want)
		return error_set(
			err, ERROR_SYNTAX,
			"\"%.80s\" is not a digest: expected sha256: or sha512: and hex digits",
			text);
	const char *hex = text + PREFIX_LEN;
	size_t len = strspn(hex, "0123456789abcdef");

	if (len != want || hex[len] != '\0')
		return error_set(
			err, ERROR_SYNTAX,
			"\"%.160s\" is not a digest: expected %zu lower-case hex digits after %.7s",
			text, want, text);
	memset(out, 0, sizeof(*out));
	memcpy(out->text, text, PREFIX_LEN + want);
	return 0;
}

struct digest digest_from_sha256(const uint8_t raw[SHA256_SIZE])
{
	struct digest d = {.text = SHA256_PREFIX};

	sha256_hex(raw, d.text + PREFIX_LEN);
	return d;
}

struct digest digest_of(const void *data, size_t len)
{
	uint8_t raw[SHA256_SIZE];

	sha256_buf(data, len, raw);
	return digest_from_sha256(raw);
}

bool digest_is_set(const struct digest *d)
{
	return d->text[0] != '\0';
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return strcmp(a->text, b->text) == 0;
}

const char *digest_hex(const struct digest *d)
{
	return digest_is_set(d) ? d->text + PREFIX_LEN : d->text;
}

bool digest_is_sha512(const struct digest *d)
{
	return strncmp(d->text, SHA512_PREFIX, PREFIX_LEN) == 0;
}

bool digest_set_add(struct strmap *set, const struct digest *d)
{
	if (strmap_has(set, d->text))
		return false;
	strmap_set(set, d->text, NULL);
	return true;
}

void digest_short(const struct digest *d, char out[24])
{
	size_t len = strnlen(d->text, PREFIX_LEN + 12);

	memcpy(out, d->text, len);
	out[len] = '\0';
}

void digest_chain(struct digest *chain, const struct digest *diff_id)
{
	if (!digest_is_set(chain)) {
		*chain = *diff_id;
		return;
	}
	AUTO(sha256) h = SHA256_INIT;
	uint8_t raw[SHA256_SIZE];

	sha256_update(&h, chain->text, strlen(chain->text));
	sha256_update(&h, " ", 1);
	sha256_update(&h, diff_id->text, strlen(diff_id->text));
	sha256_final(&h, raw);
	*chain = digest_from_sha256(raw);
}

void digester_init(struct digester *d, const struct digest *expected)
{
	memset(d, 0, sizeof(*d));
	d->is_sha512 = expected && digest_is_sha512(expected);
}

void digester_update(struct digester *d, const void *data, size_t len)
{
	if (d->is_sha512)
		sha512_update(&d->sha512, data, len);
	else
		sha256_update(&d->sha256, data, len);
}

int digester_update_fd(struct digester *d, int fd, const char *name, int64_t *bytes,
		       struct error *err)
{
	AUTO_FREE char *buf = xmalloc(READ_CHUNK);
	int64_t total = 0;

	for (;;) {
		ssize_t n = read(fd, buf, READ_CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "read %s after %lld bytes", name, (long long)total);
		if (n == 0)
			break;
		digester_update(d, buf, (size_t)n);
		total += n;
	}
	if (bytes)
		*bytes = total;
	return 0;
}

struct digest digester_final(struct digester *d)
{
	struct digest out = {.text = SHA512_PREFIX};

	if (d->is_sha512) {
		sha512_final_hex(&d->sha512, out.text + PREFIX_LEN);
		return out;
	}
	uint8_t raw[SHA256_SIZE];

	sha256_final(&d->sha256, raw);
	return digest_from_sha256(raw);
}

void digester_release(struct digester *d)
{
	sha256_release(&d->sha256);
	sha512_release(&d->sha512);
}
