#include "cli/local_target.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "aws/ask.h"
#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/process.h"
#include "base/time.h"
#include "local/local.h"
#include "local/token.h"

#define FIRST_WORDS_LIMIT (64u << 10)
/* The login at the registry: long enough for any push. */
#define TOKEN_SECONDS (12 * 3600)
/* Between two looks at what comes about on this machine. */
#define POLL_MS 100
/* Of our own, among those that take AWS's place. */
#define PAGE_VARIABLE "SLIPWAY_STATUS_PAGE"

char *local_target_folder(const struct app *a)
{
	return path_join(a->env.root, "local");
}

int local_target_need(struct app *a, struct local_endpoint *out, struct error *err)
{
	AUTO_FREE char *folder = local_target_folder(a);
	bool running;

	if (local_endpoint_find(out, folder, &running, err) < 0)
		return -1;
	if (running)
		return 0;
	error_set(err, ERROR_NOT_FOUND, "no local target runs on %s", a->env.root);
	return error_hint(err, "start it with 'slipway local start'");
}

/* What it said instead of "listening": the end of its log. */
static int not_started(const char *log, const struct strbuf *said, int64_t from, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_FD int fd = open(log, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && lseek(fd, (off_t)from, SEEK_SET) >= 0)
		fs_read_fd(fd, log, &text, FIRST_WORDS_LIMIT, NULL);
	strbuf_trim(&text);
	error_set(err, ERROR_SYSTEM, "the local target did not start: %s",
		  text.len    ? text.buf
		  : said->len ? said->buf
			      : "it said nothing");
	return error_hint(
		err, "'slipway local start --foreground' shows what it does; its log is %s", log);
}

/* Its first line comes when it answers; when it dies before, the pipe ends. */
static int wait_for_line(int fd, const struct cancel *cancel, struct strbuf *line,
			 struct error *err)
{
	char buf[512];
	ssize_t n = 1;

	while (n > 0 && !memchr(line->buf, '\n', line->len)) {
		if (cancel_poll(cancel, fd, -1, err) < 0)
			return -1;
		n = read(fd, buf, sizeof(buf));
		if (n < 0)
			return error_errno(err, "wait for the local target");
		strbuf_add(line, buf, (size_t)n);
	}
	strbuf_trim(line);
	return 0;
}

static int spawn(struct app *a, const struct local_start *o, int stdout_fd, int log_fd, pid_t *pid,
		 struct error *err)
{
	AUTO(strlist) argv = STRLIST_INIT;
	struct process_options p = {
		.path = "/proc/self/exe",
		.envp = a->env.envp,
		.cwd = "/",
		.stdin_fd = -1,
		.stdout_fd = stdout_fd,
		.stderr_fd = log_fd,
		.new_session = true,
	};

	strlist_add(&argv, "slipway");
	strlist_add(&argv, "--root");
	strlist_add(&argv, a->env.root);
	strlist_add(&argv, "local");
	strlist_add(&argv, "start");
	strlist_add(&argv, "--foreground");
	if (o->port_given)
		strlist_addf(&argv, "--port=%d", o->port);
	if (o->region)
		strlist_addf(&argv, "--region=%s", o->region);
	if (o->no_auth)
		strlist_add(&argv, "--no-auth");
	p.argv = argv.items;
	return process_spawn(pid, &p, err);
}

int local_target_start(struct app *a, const struct local_start *o, struct local_endpoint *out,
		       struct error *err)
{
	AUTO_FREE char *folder = local_target_folder(a);
	AUTO_FREE char *log = path_join(folder, "log");
	AUTO(strbuf) line = STRBUF_INIT;
	AUTO_FD int log_fd = -1;
	int64_t from;
	int pipe_fds[2];
	bool running;
	pid_t pid;
	int r;

	if (local_endpoint_find(out, folder, &running, err) < 0 || running)
		return running ? 0 : -1;
	if (fs_mkdir_p(folder, 0700, err) < 0)
		return -1;
	log_fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (log_fd < 0)
		return error_errno(err, "open %s", log);
	from = (int64_t)lseek(log_fd, 0, SEEK_END);
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	AUTO_FD int read_fd = pipe_fds[0];

	r = spawn(a, o, pipe_fds[1], log_fd, &pid, err);
	close(pipe_fds[1]);
	if (r < 0)
		return -1;
	if (wait_for_line(read_fd, a->cancel, &line, err) < 0) {
		kill(pid, SIGTERM);
		return -1;
	}
	/* Another start at the same moment may have been quicker: then its target serves us as well. */
	if (local_endpoint_find(out, folder, &running, err) < 0)
		return -1;
	return running ? 0 : not_started(log, &line, from, err);
}

static void set_variables(struct app *a, const struct local_endpoint *e)
{
	struct strmap *v = &a->local_variables;

	strmap_set(v, "AWS_ENDPOINT_URL", e->url);
	strmap_set(v, "AWS_ACCESS_KEY_ID", e->access_key);
	strmap_set(v, "AWS_SECRET_ACCESS_KEY", e->secret_key);
	strmap_set(v, "AWS_REGION", e->region);
	strmap_set(v, PAGE_VARIABLE, e->page);
	strmap_set(v, "AWS_CONFIG_FILE", "/dev/null");
	strmap_set(v, "AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
}

int local_target_use(struct app *a, bool start, struct error *err)
{
	struct aws_flags *f = &a->aws_flags;
	AUTO(local_endpoint) e = {0};
	const char *other = f->profile ? "--profile" : f->endpoint_url ? "--endpoint-url" : NULL;

	if (!f->local || f->variables)
		return 0;
	if (other)
		return error_set(err, ERROR_USAGE, "--local and %s exclude each other", other);
	if (start ? local_target_start(a, &(struct local_start){.region = f->region}, &e, err) < 0
		  : local_target_need(a, &e, err) < 0)
		return -1;
	if (f->region && strcmp(f->region, e.region) != 0)
		return error_set(err, ERROR_USAGE,
				 "--region %s: the local target is in %s ('slipway local reset' "
				 "and 'slipway local start --region' make another)",
				 f->region, e.region);
	set_variables(a, &e);
	f->variables = &a->local_variables;
	if (!a->env.poll_ms)
		a->env.poll_ms = POLL_MS;
	return 0;
}

const char *local_target_page(const struct app *a)
{
	return a->aws_flags.local ? strmap_get(&a->local_variables, PAGE_VARIABLE) : NULL;
}

static bool find_registry(struct app *a, const char *host, struct local_endpoint *e)
{
	AUTO_FREE char *folder = local_target_folder(a);
	const char *colon = strrchr(host, ':');
	bool running;

	return colon && local_endpoint_find(e, folder, &running, NULL) == 0 && running &&
	       strcmp(strrchr(e->registry, ':'), colon) == 0 &&
	       (strcmp(host, e->registry) == 0 || str_starts(host, "localhost:"));
}

bool local_target_is_registry(struct app *a, const char *host)
{
	AUTO(local_endpoint) e = {0};

	return find_registry(a, host, &e);
}

char *local_target_registry(struct app *a)
{
	AUTO(local_endpoint) e = {0};

	if (!a->aws_flags.local || local_target_need(a, &e, NULL) < 0)
		return NULL;
	return take_ptr(e.registry);
}

int local_target_login(struct app *a, struct login *out, struct error *err)
{
	AUTO(local_endpoint) e = {0};

	if (local_target_need(a, &e, err) < 0)
		return -1;
	out->username = xstrdup("AWS");
	out->password = token_make(e.secret_key, TOKEN_REGISTRY, "AWS", time_now() + TOKEN_SECONDS);
	return 0;
}

int local_target_make_repository(struct app *a, const char *repository, struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s}", "repositoryName", repository);
	AUTO(aws_reply) reply = {0};
	AUTO(local_endpoint) e = {0};
	struct aws_flags flags = {.variables = &a->local_variables};
	AUTO_PTR(aws_login) login = aws_login_new(&a->env, &flags, a->reporter, a->cancel);

	if (local_target_need(a, &e, err) < 0)
		return -1;
	set_variables(a, &e);
	return aws_ask(aws_login_aws(login),
		       &(struct aws_question){.service = AWS_ECR,
					      .operation = "CreateRepository",
					      .params = params,
					      .fine = {"RepositoryAlreadyExistsException"}},
		       &reply, err);
}
