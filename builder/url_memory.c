#include "builder/url_memory.h"

#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "oci/digest.h"

#define KIND  "url"
#define WHERE "the memory of a URL"

/* The URL itself may hold a signature: only its hash is kept. */
static void name_of(const char *url, char hex[SHA256_HEX_SIZE])
{
	uint8_t raw[SHA256_SIZE];

	sha256_buf(url, strlen(url), raw);
	sha256_hex(raw, hex);
}

static int hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

static bool read_memory(const json_t *j, struct url_memory *out)
{
	const char *etag, *modified, *digest;
	struct digest d;

	if (json_opt_string(j, "etag", &etag, WHERE, NULL) < 0 ||
	    json_opt_string(j, "lastModified", &modified, WHERE, NULL) < 0 ||
	    json_get_string(j, "digest", &digest, WHERE, NULL) < 0 ||
	    digest_parse(&d, digest, NULL) < 0 || digest_is_sha512(&d) || (!etag && !modified))
		return false;
	for (size_t i = 0; i < SHA256_SIZE; i++)
		out->digest[i] = (uint8_t)(hex_digit(digest_hex(&d)[2 * i]) * 16 +
					   hex_digit(digest_hex(&d)[2 * i + 1]));
	out->answer.etag = xstrdup_null(etag);
	out->answer.last_modified = xstrdup_null(modified);
	return true;
}

bool url_memory_get(struct store *s, const char *url, struct url_memory *out)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_JSON *j = NULL;
	char name[SHA256_HEX_SIZE];

	name_of(url, name);
	return store_meta_get(s, KIND, name, &text, NULL) == 0 &&
	       json_parse(&j, text.buf, text.len, WHERE, NULL) == 0 && read_memory(j, out);
}

void url_memory_put(struct store *s, const char *url, const struct fetch_answer *answer,
		    const uint8_t digest[SHA256_SIZE])
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_JSON *j = json_object();
	struct digest d = digest_from_sha256(digest);
	char name[SHA256_HEX_SIZE];

	if (!answer->etag && !answer->last_modified)
		return;
	name_of(url, name);
	if (answer->etag)
		json_object_set_new(j, "etag", json_text(answer->etag));
	if (answer->last_modified)
		json_object_set_new(j, "lastModified", json_text(answer->last_modified));
	json_object_set_new(j, "digest", json_string(d.text));
	json_write(j, &text);
	/* only spares a download: a failure is none */
	store_meta_put(s, KIND, name, text.buf, text.len, NULL);
}

void url_memory_release(struct url_memory *m)
{
	fetch_answer_release(&m->answer);
}
