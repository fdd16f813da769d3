/* Addresses of git repositories, which Dockerfiles of strangers choose: what is taken cannot be an option, leave the repository or show a password. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "dockerfile/git_ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool fine)
{
	if (!fine)
		abort();
}

static bool has_dot_dot(const char *path)
{
	AUTO_FREE char *framed = xstrfmt("/%s/", path);

	return strstr(framed, "/../") != NULL;
}

static void check(const struct git_ref *r, const char *text)
{
	AUTO_FREE char *shown = git_ref_redact(text);

	require(*r->remote && *r->remote != '-' && !strpbrk(r->remote, " \t\r\n"));
	require(str_starts(r->remote, "http") || str_starts(r->remote, "ssh://") ||
		str_starts(r->remote, "git://") || strchr(r->remote, '@'));
	require(!r->ref || (*r->ref && *r->ref != '-' && !strpbrk(r->ref, " :*?[\\^~\n")));
	require(!r->subdir || (*r->subdir != '/' && !has_dot_dot(r->subdir)));
	require(!r->checksum || strspn(r->checksum, "0123456789abcdef") == strlen(r->checksum));
	if (r->userinfo)
		require(!memchr(shown, '@', strcspn(shown, "/#")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = xmalloc(size + 1);
	AUTO(git_ref) r = {.remote = NULL};
	AUTO(error) err = ERROR_INIT;

	memcpy(text, data, size);
	text[size] = '\0';
	if (!git_ref_is(text, true))
		return 0;
	if (git_ref_parse(&r, text, &err) == 0)
		check(&r, text);
	else
		require(err.message && !r.remote);
	return 0;
}
