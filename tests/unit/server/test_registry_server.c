/* The registry behind a listener of its own, from several threads at a time. */
#include "server/registry_server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/strbuf.h"
#include "oci/repository.h"
#include "tests/unit/oci/store_fixture.h"

#define THREADS 6
#define ROUNDS  4

struct ground {
	struct fixture *f;
	struct registry_server *registry;
	struct server *server;
};

static void start_with(struct ground *g, struct fixture *f, struct registry_server_options o)
{
	struct server_options listen = {.address = "127.0.0.1"};

	o.store = f->store;
	g->f = f;
	assert_ok(f, registry_server_new(&g->registry, &o, &f->err));
	listen.handler = registry_server_handler(g->registry);
	assert_ok(f, server_listen(&g->server, &listen, &f->err));
}

static void start(struct ground *g, struct fixture *f,
		  bool (*check_login)(void *, const char *, const char *))
{
	start_with(g, f, (struct registry_server_options){.check_login = check_login});
}

static void stop(struct ground *g)
{
	server_free(g->server);
	registry_server_free(g->registry);
}

/* One request on a connection of its own; the whole answer. */
static void ask(const struct ground *g, struct strbuf *out, const char *method, const char *target,
		const char *headers, const char *body)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)server_port(g->server))};
	AUTO_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	AUTO_FREE char *text = xstrfmt("%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
				       "Content-Length: %zu\r\n%s\r\n%s",
				       method, target, strlen(body), headers, body);
	char buf[4096];
	ssize_t n;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	strbuf_reset(out);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
		return;
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		strbuf_add(out, buf, (size_t)n);
}

static bool answered(const struct strbuf *out, int status)
{
	AUTO_FREE char *want = xstrfmt("HTTP/1.1 %d ", status);

	return str_starts(out->buf, want);
}

struct pusher {
	struct ground *g;
	int number;
	bool failed;
};

static void push_once(struct pusher *p, int round)
{
	AUTO(strbuf) out = STRBUF_INIT;
	AUTO_FREE char *blob = xstrfmt("blob %d", round); /* the same of all threads */
	struct digest d = digest_of(blob, strlen(blob));
	AUTO_FREE char *post = xstrfmt("/v2/r/blobs/uploads/?digest=%s", d.text);
	AUTO_FREE char *put = xstrfmt("/v2/r/manifests/t%d-%d", p->number % 2, round);
	AUTO_FREE char *manifest = xstrfmt(
		"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"config\":"
		"{\"mediaType\":\"a/b\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[]}",
		d.text, strlen(blob));

	ask(p->g, &out, "POST", post, "", blob);
	p->failed |= !answered(&out, 201);
	ask(p->g, &out, "PUT", put, "Content-Type: " MEDIA_OCI_MANIFEST "\r\n", manifest);
	p->failed |= !answered(&out, 201);
	ask(p->g, &out, "GET", put, "", "");
	p->failed |= !answered(&out, 200) || !str_ends(out.buf, manifest);
	ask(p->g, &out, "GET", "/v2/r/tags/list", "", "");
	p->failed |= !answered(&out, 200);
}

static void *push(void *arg)
{
	for (int i = 0; i < ROUNDS; i++)
		push_once(arg, i);
	return NULL;
}

static void test_threads(void **state)
{
	struct ground g = {0};
	struct pusher pushers[THREADS] = {0};
	pthread_t threads[THREADS];
	AUTO(strlist) tags = STRLIST_INIT;

	start(&g, *state, NULL);
	for (int i = 0; i < THREADS; i++) {
		pushers[i] = (struct pusher){&g, i, false};
		assert_int_equal(pthread_create(&threads[i], NULL, push, &pushers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_false(pushers[i].failed);
	}
	assert_ok(g.f, repository_tags(g.f->store, "r", &tags, &g.f->err));
	assert_int_equal(tags.n, 2 * ROUNDS);
	stop(&g);
}

static bool is_aladdin(void *arg, const char *user, const char *password)
{
	(void)arg;
	return strcmp(user, "Aladdin") == 0 && strcmp(password, "open sesame") == 0;
}

static void test_login(void **state)
{
	struct ground g = {0};
	AUTO(strbuf) out = STRBUF_INIT;

	start(&g, *state, is_aladdin);
	ask(&g, &out, "GET", "/v2/", "", "");
	assert_true(answered(&out, 401));
	assert_non_null(strstr(out.buf, "WWW-Authenticate: Basic realm="));
	ask(&g, &out, "GET", "/v2/", "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n", "");
	assert_true(answered(&out, 200));
	ask(&g, &out, "GET", "/v2/",
	    "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\nAuthorization: Basic Og==\r\n",
	    "");
	assert_true(answered(&out, 401));
	stop(&g);
}

/* Automatic content discovery: with the store lent, what no repository shows is there too. */
static void test_mount_from_nowhere(void **state)
{
	struct fixture *f = *state;
	AUTO(descriptor) blob = {0};
	struct digest absent = digest_of("never stored", 12);

	assert_ok(f, store_put(f->store, "a/b", "built here", 10, &blob, &f->err));
	AUTO_FREE char *mount = xstrfmt("/v2/r/blobs/uploads/?mount=%s", blob.digest.text);
	AUTO_FREE char *from = xstrfmt("%s&from=other", mount);
	AUTO_FREE char *missing = xstrfmt("/v2/r/blobs/uploads/?mount=%s", absent.text);

	for (int lends = 0; lends < 2; lends++) {
		struct ground g = {0};
		AUTO(strbuf) out = STRBUF_INIT;

		start_with(&g, f, (struct registry_server_options){.lends_store = lends});
		ask(&g, &out, "POST", from, "", "");
		assert_true(answered(&out, 202));
		ask(&g, &out, "POST", missing, "", "");
		assert_true(answered(&out, 202));
		ask(&g, &out, "POST", mount, "", "");
		assert_true(answered(&out, lends ? 201 : 202));
		assert_int_equal(repository_has_blob(f->store, "r", &blob.digest), lends);
		stop(&g);
	}
}

static void test_repositories_are_made_beforehand(void **state)
{
	struct fixture *f = *state;
	struct ground g = {0};
	AUTO(strbuf) out = STRBUF_INIT;

	start_with(&g, f, (struct registry_server_options){.only_made = true});
	ask(&g, &out, "POST", "/v2/team/r/blobs/uploads/", "", "");
	assert_true(answered(&out, 404));
	assert_non_null(strstr(out.buf, "NAME_UNKNOWN"));
	assert_non_null(strstr(out.buf, "The repository with name 'team/r' does not exist in the "
					"registry with id '000000000000'"));
	ask(&g, &out, "PUT", "/v2/team/r/manifests/v1", "Content-Type: " MEDIA_OCI_INDEX "\r\n",
	    "{\"schemaVersion\":2,\"manifests\":[]}");
	assert_true(answered(&out, 404));
	assert_false(repository_exists(f->store, "team/r"));
	assert_ok(f, repository_make(f->store, "team/r", &f->err));
	ask(&g, &out, "POST", "/v2/team/r/blobs/uploads/", "", "");
	assert_true(answered(&out, 202));
	stop(&g);
}

static bool is_immutable(void *arg, const char *repository, const char *tag)
{
	(void)arg;
	return strcmp(repository, "frozen") == 0 && strcmp(tag, "v1") == 0;
}

static int put_index(const struct ground *g, const char *target, const char *note)
{
	AUTO(strbuf) out = STRBUF_INIT;
	AUTO_FREE char *text = xstrfmt("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX
				       "\",\"manifests\":[],\"annotations\":{\"note\":\"%s\"}}",
				       note);

	ask(g, &out, "PUT", target, "Content-Type: " MEDIA_OCI_INDEX "\r\n", text);
	if (answered(&out, 400))
		assert_non_null(
			strstr(out.buf, "cannot be overwritten because the tag is immutable"));
	return (int)strtol(out.buf + strlen("HTTP/1.1 "), NULL, 10);
}

/* As on ECR, also the same image may not be put there again. */
static void test_tags_that_a_repository_keeps(void **state)
{
	struct ground g = {0};

	start_with(&g, *state, (struct registry_server_options){.is_immutable = is_immutable});
	assert_int_equal(put_index(&g, "/v2/frozen/manifests/v1", "a"), 201);
	assert_int_equal(put_index(&g, "/v2/frozen/manifests/v1", "b"), 400);
	assert_int_equal(put_index(&g, "/v2/frozen/manifests/v1", "a"), 400);
	assert_int_equal(put_index(&g, "/v2/frozen/manifests/v2", "a"), 201);
	assert_int_equal(put_index(&g, "/v2/frozen/manifests/v2", "b"), 201);
	assert_int_equal(put_index(&g, "/v2/other/manifests/v1", "a"), 201);
	assert_int_equal(put_index(&g, "/v2/other/manifests/v1", "b"), 201);
	stop(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_threads),
		store_test(test_login),
		store_test(test_mount_from_nowhere),
		store_test(test_repositories_are_made_beforehand),
		store_test(test_tags_that_a_repository_keeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
