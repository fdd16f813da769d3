#include "builder/remote_source.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/strbuf.h"

static bool is_http(const char *source)
{
	return str_starts(source, "http://") || str_starts(source, "https://");
}

enum remote_kind remote_kind_of(const char *source)
{
	AUTO_FREE char *path = NULL;

	if (str_starts(source, "git@") || str_starts(source, "git://") ||
	    str_starts(source, "ssh://"))
		return REMOTE_GIT;
	if (!is_http(source))
		return REMOTE_NONE;
	path = xstrndup(source, strcspn(source, "?#"));
	return str_ends(path, ".git") ? REMOTE_GIT : REMOTE_URL;
}

/* "a%20b" -> "a b". False: what follows a percent sign is not the code of a character that a name can have. */
static bool decode(struct strbuf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char code[3] = {0};

		if (text[i] != '%') {
			strbuf_putc(out, text[i]);
			continue;
		}
		if (len - i < 3 || !isxdigit((unsigned char)text[i + 1]) ||
		    !isxdigit((unsigned char)text[i + 2]))
			return false;
		memcpy(code, text + i + 1, 2);
		if (strcmp(code, "00") == 0)
			return false;
		strbuf_putc(out, (char)strtoul(code, NULL, 16));
		i += 2;
	}
	return true;
}

char *remote_name(const char *url)
{
	AUTO(strbuf) decoded = STRBUF_INIT;
	const char *host = strstr(url, "://");
	const char *path = host ? strpbrk(host + 3, "/?#") : NULL;
	const char *end, *start;

	if (!path || *path != '/')
		return xstrdup("__unnamed__");
	if (!decode(&decoded, path, strcspn(path, "?#")))
		return xstrdup("__unnamed__");
	path = decoded.buf;
	end = path + decoded.len;
	while (end > path && end[-1] == '/')
		end--;
	for (start = end; start > path && start[-1] != '/';)
		start--;
	if (start == end || (end - start == 1 && *start == '.') ||
	    (end - start == 2 && start[0] == '.' && start[1] == '.'))
		return xstrdup("__unnamed__");
	return xstrndup(start, (size_t)(end - start));
}

static int check_source(const struct instruction *ins, size_t i, size_t *n, struct error *err)
{
	const char *source = ins->copy.sources.items[i];
	enum remote_kind kind = remote_kind_of(source);

	if (kind == REMOTE_NONE)
		return 0;
	if (ins->kind == INSTRUCTION_COPY) {
		error_set(err, ERROR_SYNTAX, "source can't be a %s for COPY: %s",
			  kind == REMOTE_GIT ? "git ref" : "URL", source);
		if (kind == REMOTE_URL)
			error_hint(err, "Use ADD for URLs.");
		return instruction_error_at_source(err, ins, i);
	}
	if (kind == REMOTE_GIT) {
		error_set(err, ERROR_UNSUPPORTED, "ADD of the git repository %s is not supported",
			  source);
		error_hint(err, "clone it in a RUN, or beside the context and use "
				"--build-context NAME=FOLDER");
		return instruction_error_at_source(err, ins, i);
	}
	++*n;
	return 0;
}

int remote_check(const struct instruction *ins, size_t *n, struct error *err)
{
	const struct copy_instruction *c = &ins->copy;

	*n = 0;
	for (size_t i = 0; i < c->sources.n; i++)
		if (check_source(ins, i, n, err) < 0)
			return -1;
	if (!c->checksum)
		return 0;
	if (c->sources.n + c->n_heredocs != 1)
		error_set(err, ERROR_SYNTAX, "checksum can't be specified for multiple sources");
	else if (*n != 1)
		error_set(err, ERROR_SYNTAX, "checksum requires HTTP(S) or Git sources");
	else
		return 0;
	return instruction_error_at(err, ins, "--checksum");
}

static int verify(int fd, const char *url, const char *checksum, struct error *err)
{
	AUTO(digester) hash = {.is_sha512 = false};
	struct digest wanted, found;
	char block[65536];
	ssize_t n;

	if (digest_parse(&wanted, checksum, err) < 0)
		return error_wrap(err, "--checksum=%s", checksum);
	digester_init(&hash, &wanted);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_errno(err, "read what came from %s", url);
	while ((n = read(fd, block, sizeof(block))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "read what came from %s", url);
		digester_update(&hash, block, (size_t)n);
	}
	found = digester_final(&hash);
	if (!digest_equal(&found, &wanted))
		return error_set(err, ERROR_CORRUPT, "ADD %s: --checksum is %s, its bytes have %s",
				 url, wanted.text, found.text);
	return 0;
}

static int set_times(int fd, int64_t mtime, struct error *err)
{
	struct timespec times[2] = {{.tv_sec = mtime}, {.tv_sec = mtime}};

	if (mtime >= 0 && futimens(fd, times) < 0)
		return error_errno(err, "set the time of a fetched file");
	return 0;
}

/* Each source gets a folder of its own, so that equal names do not meet. */
static int fetch_one(struct remote_files *out, size_t i, struct build *b,
		     const struct instruction *ins, struct error *err)
{
	const struct fetch_source *fetch = &b->options->fetch;
	const char *url = ins->copy.sources.items[i];
	AUTO_FREE char *dir = xstrfmt("%s/%zu", out->folder, i);
	AUTO_FREE char *partial = xstrfmt("%s.part", dir);
	AUTO_FREE char *name = remote_name(url);
	AUTO_FD int fd = -1;
	int64_t mtime = -1;

	if (!fetch->url)
		return error_set(err, ERROR_UNSUPPORTED, "ADD %s: this build cannot fetch URLs",
				 url);
	fd = open(partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || mkdir(dir, 0700) < 0)
		return error_errno(err, "create %s", fd < 0 ? partial : dir);
	if (fetch->url(fetch->arg, url, fd, &mtime, err) < 0 ||
	    (ins->copy.checksum && verify(fd, url, ins->copy.checksum, err) < 0) ||
	    set_times(fd, mtime, err) < 0)
		return -1;
	out->paths[i] = xstrfmt("%s/%s", dir, name);
	if (rename(partial, out->paths[i]) < 0)
		return error_errno(err, "rename %s", partial);
	return 0;
}

int remote_fetch(struct remote_files *out, struct build *b, const struct instruction *ins,
		 struct error *err)
{
	const struct strlist *sources = &ins->copy.sources;
	AUTO_FREE char *ingest = store_path(b->store, "ingest");

	out->n = sources->n;
	out->paths = xcalloc(out->n + 1, sizeof(*out->paths));
	if (fs_mkdir_p(ingest, 0700, err) < 0 ||
	    fs_make_temp_dir(ingest, "add-", &out->folder, err) < 0)
		return -1;
	for (size_t i = 0; i < sources->n; i++)
		if (remote_kind_of(sources->items[i]) == REMOTE_URL &&
		    fetch_one(out, i, b, ins, err) < 0)
			return -1;
	return 0;
}

void remote_files_release(struct remote_files *r)
{
	if (r->folder)
		fs_remove_tree(AT_FDCWD, r->folder, NULL);
	for (size_t i = 0; i < r->n; i++)
		free(r->paths[i]);
	free(r->paths);
	free(r->folder);
}
