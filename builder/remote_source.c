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
#include "base/path.h"
#include "builder/checksum.h"
#include "builder/context_remote.h"
#include "builder/url_memory.h"

struct remote_item {
	enum remote_kind kind;
	char *file; /* of a URL, once it is here */
	bool has_digest;
	uint8_t digest[SHA256_SIZE]; /* of the file */
	struct git_ref ref;
	struct fetch_commit commit;
	struct context *context;
};

static bool is_http(const char *source)
{
	return strncasecmp(source, "http://", 7) == 0 || strncasecmp(source, "https://", 8) == 0;
}

enum remote_kind remote_kind_of(const char *source)
{
	if (git_ref_is(source, false))
		return REMOTE_GIT;
	return is_http(source) ? REMOTE_URL : REMOTE_NONE;
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
	const char *name;

	if (!path || *path != '/' || !decode(&decoded, path, strcspn(path, "?#")))
		return xstrdup("__unnamed__");
	while (decoded.len && decoded.buf[decoded.len - 1] == '/')
		strbuf_truncate(&decoded, decoded.len - 1);
	name = path_base(decoded.buf);
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return xstrdup("__unnamed__");
	return xstrdup(name);
}

/* What ADD names stays in the image's history. */
static int check_git(const char *source, struct error *err)
{
	AUTO(git_ref) ref = {.remote = NULL};

	if (git_ref_parse(&ref, source, err) < 0)
		return -1;
	if (ref.userinfo) {
		error_set(err, ERROR_DENIED,
			  "ADD %s: a password in the address would be recorded in the image's "
			  "history",
			  ref.remote);
		return error_hint(err, "Give it as --secret id=GIT_AUTH_TOKEN,env=VARIABLE.");
	}
	return 0;
}

static int check_checksum(const struct instruction *ins, enum remote_kind kind, struct error *err)
{
	const char *text = ins->copy.checksum;

	if (kind == REMOTE_URL ? checksum_parse(text, err) == 0
			       : strspn(text, "0123456789abcdefABCDEF") == strlen(text))
		return 0;
	if (kind == REMOTE_GIT)
		error_set(err, ERROR_SYNTAX,
			  "--checksum=%s: of a git repository a commit id in hex is wanted", text);
	return instruction_error_at(err, ins, "--checksum");
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
		error_hint(err, "Use ADD for %s.", kind == REMOTE_GIT ? "repositories" : "URLs");
		return instruction_error_at_source(err, ins, i);
	}
	++*n;
	if (kind == REMOTE_GIT && check_git(source, err) < 0)
		return instruction_error_at_source(err, ins, i);
	return ins->copy.checksum ? check_checksum(ins, kind, err) : 0;
}

int remote_check(const struct instruction *ins, size_t *n, struct error *err)
{
	const struct copy_instruction *c = &ins->copy;

	*n = 0;
	if (c->checksum && c->sources.n + c->n_heredocs != 1) {
		error_set(err, ERROR_SYNTAX, "checksum can't be specified for multiple sources");
		return instruction_error_at(err, ins, "--checksum");
	}
	for (size_t i = 0; i < c->sources.n; i++)
		if (check_source(ins, i, n, err) < 0)
			return -1;
	if (!c->checksum || *n == 1)
		return 0;
	error_set(err, ERROR_SYNTAX, "checksum requires HTTP(S) or Git sources");
	return instruction_error_at(err, ins, "--checksum");
}

static int prepare(struct remote_files *r, struct build *b, const struct instruction *ins,
		   struct error *err)
{
	AUTO_FREE char *ingest = store_path(b->store, "ingest");

	if (r->items)
		return 0;
	r->n = ins->copy.sources.n;
	r->items = xcalloc(r->n + 1, sizeof(*r->items));
	r->fetched = xcalloc(r->n + 1, sizeof(*r->fetched));
	for (size_t i = 0; i < r->n; i++)
		r->items[i].kind = remote_kind_of(ins->copy.sources.items[i]);
	if (fs_mkdir_p(ingest, 0700, err) < 0)
		return -1;
	return fs_make_temp_dir(ingest, "add-", &r->folder, err);
}

static int set_times(int fd, int64_t mtime, struct error *err)
{
	struct timespec times[2] = {{.tv_sec = mtime}, {.tv_sec = mtime}};

	if (mtime >= 0 && futimens(fd, times) < 0)
		return error_errno(err, "set the time of a fetched file");
	return 0;
}

static int hash_file(int fd, uint8_t out[SHA256_SIZE], struct error *err)
{
	AUTO(digester) h = {.is_sha512 = false};

	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_errno(err, "read a download");
	digester_init(&h, NULL);
	if (digester_update_fd(&h, fd, "a download", NULL, err) < 0)
		return -1;
	sha256_update(&h.sha256, "", 0);
	sha256_final(&h.sha256, out);
	return 0;
}

/*
 * GET, or with a memory of it a question whether it changed: then nothing is written, and the digest is the one remembered. Each
 * source gets a folder of its own, so that equal names do not meet.
 */
static int download(struct remote_files *r, size_t i, struct build *b,
		    const struct instruction *ins, const struct url_memory *memory,
		    struct error *err)
{
	const struct fetch_source *fetch = &b->options->fetch;
	const char *url = ins->copy.sources.items[i];
	struct remote_item *item = &r->items[i];
	AUTO(fetch_answer) answer = {.mtime = -1};
	AUTO_FREE char *dir = xstrfmt("%s/%zu", r->folder, i);
	AUTO_FREE char *name = remote_name(url);
	AUTO_FREE char *partial = xstrfmt("%s.part", dir);
	uint8_t told[SHA256_SIZE];
	bool was_told = item->has_digest;
	AUTO_FD int fd = -1;

	if (!fetch->url)
		return error_set(err, ERROR_UNSUPPORTED, "ADD %s: this build cannot fetch URLs",
				 url);
	fd = open(partial, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || (mkdir(dir, 0700) < 0 && errno != EEXIST))
		return error_errno(err, "create %s", fd < 0 ? partial : dir);
	if (fetch->url(fetch->arg, url, memory ? &memory->answer : NULL, fd, &answer, err) < 0)
		return -1;
	memcpy(told, item->digest, sizeof(told));
	item->has_digest = true;
	if (answer.unchanged && memory) {
		memcpy(item->digest, memory->digest, sizeof(item->digest));
		return 0;
	}
	if ((ins->copy.checksum && checksum_verify(ins->copy.checksum, fd, url, err) < 0) ||
	    hash_file(fd, item->digest, err) < 0 || set_times(fd, answer.mtime, err) < 0)
		return -1;
	r->changed |= was_told && memcmp(told, item->digest, sizeof(told)) != 0;
	url_memory_put(b->store, url, &answer, item->digest);
	item->file = xstrfmt("%s/%s", dir, name);
	if (rename(partial, item->file) < 0)
		return error_errno(err, "rename %s", partial);
	return 0;
}

static int identify_url(struct remote_files *r, size_t i, struct build *b,
			const struct instruction *ins, struct error *err)
{
	AUTO(url_memory) memory = {.answer = {.mtime = -1}};

	/* what the checksum says, the key has; the bytes may never be needed */
	if (ins->copy.checksum)
		return 0;
	if (!url_memory_get(b->store, ins->copy.sources.items[i], &memory))
		return download(r, i, b, ins, NULL, err);
	return download(r, i, b, ins, &memory, err);
}

static int identify_git(struct remote_item *item, struct build *b, const struct instruction *ins,
			const char *source, struct error *err)
{
	const struct fetch_source *fetch = &b->options->fetch;

	if (git_ref_parse(&item->ref, source, err) < 0)
		return -1;
	if (!fetch->git_resolve)
		return error_set(err, ERROR_UNSUPPORTED,
				 "ADD %s: this build cannot fetch git repositories", source);
	if (ins->copy.checksum) {
		free(item->ref.checksum);
		item->ref.checksum = xstrdup(ins->copy.checksum);
		for (char *p = item->ref.checksum; *p; p++)
			*p = (char)(*p >= 'A' && *p <= 'F' ? *p | 0x20 : *p);
	}
	return fetch->git_resolve(fetch->arg, &item->ref, FETCH_FOR_ADD, &item->commit, err);
}

int remote_identify(struct remote_files *r, struct build *b, const struct instruction *ins,
		    struct error *err)
{
	if (prepare(r, b, ins, err) < 0)
		return -1;
	for (size_t i = 0; i < r->n; i++) {
		struct remote_item *item = &r->items[i];
		const char *source = ins->copy.sources.items[i];

		if (item->kind == REMOTE_URL && !item->has_digest &&
		    identify_url(r, i, b, ins, err) < 0)
			return -1;
		if (item->kind == REMOTE_GIT && !*item->commit.id &&
		    identify_git(item, b, ins, source, err) < 0)
			return -1;
	}
	return 0;
}

static bool keeps_git_dir(const struct remote_item *item, const struct copy_instruction *c)
{
	return c->has_keep_git_dir ? c->keep_git_dir : item->ref.keep_git_dir == GIT_YES;
}

void remote_key(const struct remote_files *r, const struct instruction *ins, struct step_key *k)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct remote_item *item = &r->items[i];
		AUTO_FREE char *shown = git_ref_redact(ins->copy.sources.items[i]);
		AUTO_FREE char *label = xstrfmt("commit of %s", shown);

		/* a kept .git holds the tag as well */
		if (item->kind == REMOTE_GIT)
			step_key_add(k, "commit", label,
				     keeps_git_dir(item, &ins->copy) ? item->commit.id
								     : item->commit.commit);
		else if (item->has_digest)
			step_key_add_content(k, "download", shown, item->digest);
	}
}

void remote_key_names(const struct remote_files *r, struct step_key *k)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->items[i].file)
			step_key_add(k, "name", "name of the download",
				     path_base(r->items[i].file));
}

static int open_git(struct remote_item *item, struct build *b, const struct instruction *ins,
		    const char *source, struct error *err)
{
	AUTO_FREE char *label = git_ref_redact(source);
	const struct context_git g = {
		.fetch = &b->options->fetch,
		.ref = &item->ref,
		.who = FETCH_FOR_ADD,
		.keep_git_dir = keeps_git_dir(item, &ins->copy),
		.commit = &item->commit,
		.label = label,
	};

	return context_open_git(&item->context, b->store, &g, err);
}

int remote_fetch(struct remote_files *r, struct build *b, const struct instruction *ins,
		 struct error *err)
{
	if (remote_identify(r, b, ins, err) < 0)
		return -1;
	for (size_t i = 0; i < r->n; i++) {
		struct remote_item *item = &r->items[i];
		const char *source = ins->copy.sources.items[i];

		if (item->kind == REMOTE_URL && !item->file &&
		    download(r, i, b, ins, NULL, err) < 0)
			return -1;
		if (item->kind == REMOTE_GIT && !item->context &&
		    open_git(item, b, ins, source, err) < 0)
			return -1;
		r->fetched[i] = (struct copy_fetched){.file = item->file, .context = item->context};
	}
	return 0;
}

void remote_files_release(struct remote_files *r)
{
	if (r->folder)
		fs_remove_tree(AT_FDCWD, r->folder, NULL);
	for (size_t i = 0; r->items && i < r->n; i++) {
		struct remote_item *item = &r->items[i];

		free(item->file);
		git_ref_release(&item->ref);
		fetch_commit_release(&item->commit);
		context_free(item->context);
	}
	free(r->items);
	free(r->fetched);
	free(r->folder);
	*r = (struct remote_files){.n = 0};
}
