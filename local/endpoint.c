#include "local/endpoint.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/path.h"
#include "local/page_key.h"
#include "local/process_mark.h"

#define FILE_NAME "target.json"

int local_endpoint_write(const char *folder, int port, const char *region, const char *access_key,
			 const char *secret_key, struct error *err)
{
	AUTO_FREE char *path = path_join(folder, FILE_NAME);
	AUTO_JSON *file = json_pack("{s:o, s:i, s:s, s:s, s:s}", "process", process_mark(getpid()),
				    "port", port, "region", region, "accessKey", access_key,
				    "secretKey", secret_key);
	AUTO(strbuf) text = STRBUF_INIT;
	int r;

	json_write_pretty(file, &text);
	r = fs_write_file_atomic(path, text.buf, text.len, 0600, err);
	wipe(text.buf, text.len);
	return r;
}

int local_endpoint_find(struct local_endpoint *out, const char *folder, bool *running,
			struct error *err)
{
	AUTO_FREE char *path = path_join(folder, FILE_NAME);
	AUTO_JSON *file = NULL;
	const char *region, *access_key, *secret_key;
	char key[PAGE_KEY_SIZE];
	json_t *process;
	int64_t port;
	pid_t pid;

	*running = false;
	*out = (struct local_endpoint){0};
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	if (json_parse_file(&file, path, LIMIT_CONFIG_BYTES, err) < 0 ||
	    json_get_object(file, "process", &process, path, err) < 0 ||
	    json_get_int(file, "port", &port, path, err) < 0 ||
	    json_get_string(file, "region", &region, path, err) < 0 ||
	    json_get_string(file, "accessKey", &access_key, path, err) < 0 ||
	    json_get_string(file, "secretKey", &secret_key, path, err) < 0)
		return -1;
	pid = process_mark_living(process);
	if (pid == 0)
		return 0;
	page_key_make(secret_key, key);
	*out = (struct local_endpoint){
		.pid = pid,
		.port = (int)port,
		.url = xstrfmt("http://127.0.0.1:%d", (int)port),
		.registry = xstrfmt("127.0.0.1:%d", (int)port),
		.page = xstrfmt("http://127.0.0.1:%d/#key=%s", (int)port, key),
		.region = xstrdup(region),
		.access_key = xstrdup(access_key),
		.secret_key = xstrdup(secret_key),
	};
	*running = true;
	return 0;
}

void local_endpoint_remove(const char *folder)
{
	AUTO_FREE char *path = path_join(folder, FILE_NAME);

	unlink(path);
}

int local_endpoint_signal(const struct local_endpoint *e, const char *folder, int number,
			  const struct cancel *cancel, int timeout_ms, bool *gone,
			  struct error *err)
{
	AUTO_FD int fd = (int)syscall(SYS_pidfd_open, e->pid, 0);
	AUTO(local_endpoint) now = {0};
	bool running;
	int ended;

	*gone = true;
	if (fd < 0 && errno != ESRCH)
		return error_errno(err, "look for process %d", (int)e->pid);
	/* The descriptor stands for whoever has the number now: is that still the target? */
	if (local_endpoint_find(&now, folder, &running, err) < 0)
		return -1;
	if (fd < 0 || !running || now.pid != e->pid)
		return 0;
	if (syscall(SYS_pidfd_send_signal, fd, number, NULL, 0) < 0)
		return errno == ESRCH ? 0 : error_errno(err, "signal process %d", (int)e->pid);
	ended = cancel_poll(cancel, fd, timeout_ms * 1000000ll, err);
	*gone = ended > 0;
	return ended < 0 ? -1 : 0;
}

void local_endpoint_release(struct local_endpoint *e)
{
	if (!e)
		return;
	free(e->url);
	free(e->registry);
	free(e->page);
	free(e->region);
	free(e->access_key);
	if (e->secret_key)
		wipe(e->secret_key, strlen(e->secret_key));
	free(e->secret_key);
	*e = (struct local_endpoint){0};
}
