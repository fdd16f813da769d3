#include "oci/reference.h"

#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strbuf.h"

#define NAME_LIMIT 255
#define TAG_LIMIT  128
#define HUB        "docker.io"

void image_ref_release(struct image_ref *r)
{
	if (!r)
		return;
	free(r->host);
	free(r->path);
	free(r->tag);
	memset(r, 0, sizeof(*r));
}

void image_ref_copy(struct image_ref *dst, const struct image_ref *src)
{
	struct image_ref copy = {
		.host = xstrdup_null(src->host),
		.path = xstrdup_null(src->path),
		.tag = xstrdup_null(src->tag),
		.digest = src->digest,
	};

	*dst = copy;
}

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* separator: one of [_.], "__", or any number of '-'. */
static size_t separator_length(const char *s)
{
	size_t dashes = strspn(s, "-");

	if (dashes)
		return dashes;
	if (*s == '.')
		return 1;
	return *s == '_' ? (s[1] == '_' ? 2 : 1) : 0;
}

const char *image_ref_check_path(const char *p)
{
	for (;;) {
		if (isupper((unsigned char)*p))
			return "the name must be lower-case";
		if (!is_lower_alnum(*p))
			return *p ? "a part of the name must begin with a letter or digit"
				  : "a part of the name is empty";
		while (is_lower_alnum(*p))
			p++;
		if (*p == '\0')
			return NULL;
		if (*p == '/') {
			p++;
			continue;
		}
		if (isupper((unsigned char)*p))
			return "the name must be lower-case";
		size_t n = separator_length(p);

		if (!n)
			return "a character of the name is not allowed";
		p += n;
		if (!is_lower_alnum(*p) && !isupper((unsigned char)*p))
			return "the name has two separators together, or ends with one";
	}
}

static const char *check_port(const char *p)
{
	size_t digits = strspn(p, "0123456789");

	return digits && digits <= 5 && !p[digits] ? NULL : "the port is not a number";
}

static const char *check_host(const char *host)
{
	const char *p = host;

	if (*p == '[') {
		size_t n = strspn(p + 1, "0123456789abcdefABCDEF:.");

		p += 1 + n;
		if (!n || *p != ']')
			return "the IPv6 address is not of the form [::1]";
		p++;
	} else {
		for (;;) {
			if (!is_alnum(*p))
				return "the host name is not valid";
			while (is_alnum(*p) || (*p == '-' && (is_alnum(p[1]) || p[1] == '-')))
				p++;
			if (*p != '.')
				break;
			p++;
		}
	}
	if (*p == '\0')
		return NULL;
	return *p == ':' ? check_port(p + 1) : "the host name is not valid";
}

const char *image_ref_check_tag(const char *tag)
{
	size_t n = strspn(tag, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	if (n == 0 || tag[n] || tag[0] == '.' || tag[0] == '-')
		return "the tag is not valid: letters, digits, _ . - and none of . - at its start";
	return n > TAG_LIMIT ? "the tag is longer than 128 characters" : NULL;
}

/* Is the first component a host? docker's rule: a dot, a colon, "localhost", or an upper-case letter. */
static bool is_host(const char *s, size_t n)
{
	if (n == strlen("localhost") && strncmp(s, "localhost", n) == 0)
		return true;
	for (size_t i = 0; i < n; i++)
		if (s[i] == '.' || s[i] == ':' || isupper((unsigned char)s[i]))
			return true;
	return *s == '[';
}

/* Takes "@digest" and ":tag" off the end of name. */
static const char *split_end(struct image_ref *r, char *name)
{
	char *at = strchr(name, '@');

	if (at) {
		*at = '\0';
		if (digest_parse(&r->digest, at + 1, NULL) < 0)
			return "the digest is not sha256: or sha512: and its hex digits";
	}
	char *slash = strrchr(name, '/');
	char *colon = strrchr(slash ? slash : name, ':');

	if (colon) {
		*colon = '\0';
		r->tag = xstrdup(colon + 1);
		return image_ref_check_tag(r->tag);
	}
	if (!at)
		r->tag = xstrdup("latest");
	return NULL;
}

static const char *split_name(struct image_ref *r, const char *name)
{
	const char *slash = strchr(name, '/');
	const char *wrong;

	if (slash && is_host(name, (size_t)(slash - name))) {
		r->host = xstrndup(name, (size_t)(slash - name));
		wrong = check_host(r->host);
		if (wrong)
			return wrong;
		if (strcmp(r->host, "index.docker.io") == 0) {
			free(r->host);
			r->host = xstrdup(HUB);
		}
		name = slash + 1;
	} else {
		r->host = xstrdup(HUB);
	}
	bool is_official = strcmp(r->host, HUB) == 0 && !strchr(name, '/');

	r->path = is_official ? xstrfmt("library/%s", name) : xstrdup(name);
	return image_ref_check_path(name);
}

static const char *parse(struct image_ref *r, const char *text)
{
	size_t hex = strspn(text, "0123456789abcdef");
	AUTO_FREE char *name = xstrdup(text);
	const char *wrong;

	if (!*text)
		return "it is empty";
	if (hex == 64 && !text[hex])
		return "64 hex digits are an ID and not a name";
	wrong = split_end(r, name);
	if (!wrong)
		wrong = split_name(r, name);
	if (!wrong && strlen(r->host) + 1 + strlen(r->path) > NAME_LIMIT)
		wrong = "host and name are longer than 255 characters";
	return wrong;
}

int image_ref_parse(struct image_ref *out, const char *text, struct error *err)
{
	AUTO(image_ref) r = {0};
	const char *wrong = parse(&r, text);

	if (wrong)
		return error_set(err, ERROR_USAGE, "invalid image name \"%.300s\": %s", text,
				 wrong);
	*out = r;
	memset(&r, 0, sizeof(r));
	return 0;
}

static char *format(const char *host, const char *path, const struct image_ref *r)
{
	AUTO(strbuf) text = STRBUF_INIT;

	if (host)
		strbuf_printf(&text, "%s/", host);
	strbuf_puts(&text, path);
	if (r->tag)
		strbuf_printf(&text, ":%s", r->tag);
	if (digest_is_set(&r->digest))
		strbuf_printf(&text, "@%s", r->digest.text);
	return strbuf_detach(&text, NULL);
}

char *image_ref_full(const struct image_ref *r)
{
	return format(r->host, r->path, r);
}

char *image_ref_familiar(const struct image_ref *r)
{
	/* Hub's own paths may begin like a host name ("docker.io/a.b/c"): then the host must be said. */
	if (strcmp(r->host, HUB) != 0 || is_host(r->path, strcspn(r->path, "/")))
		return format(r->host, r->path, r);
	if (str_starts(r->path, "library/") && !strchr(r->path + strlen("library/"), '/'))
		return format(NULL, r->path + strlen("library/"), r);
	return format(NULL, r->path, r);
}

static bool equal_or_null(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool image_ref_equal(const struct image_ref *a, const struct image_ref *b)
{
	return equal_or_null(a->host, b->host) && equal_or_null(a->path, b->path) &&
	       equal_or_null(a->tag, b->tag) && digest_equal(&a->digest, &b->digest);
}

const char *image_ref_api_host(const struct image_ref *r)
{
	return strcmp(r->host, HUB) == 0 ? "registry-1.docker.io" : r->host;
}
