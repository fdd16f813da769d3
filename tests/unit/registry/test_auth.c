#include "tests/unit/registry/world.h"

/* Who we are, to whom we say it, and to whom never. */

static char USER[] = "user", PASSWORD[] = "secret", WRONG[] = "wrong";
/* "user:secret" by coreutils' base64 */
#define BASIC "Basic dXNlcjpzZWNyZXQ="

static void use_auth(const char *kind)
{
	AUTO_FREE char *json = xstrfmt("{\"auth\": \"%s\"}", kind);

	fake_setting(&fake, json);
}

static int try_push(struct world *w, struct error *err)
{
	struct push_result r;

	return registry_push(w->c, w->from, &w->ref, &w->image->descriptor, &r, err);
}

/* No request to that server carries credentials. */
static void assert_no_credentials(const struct fake *f)
{
	int n = fake_count(f, NULL, ".");

	for (int i = 0; i < n; i++) {
		AUTO_FREE char *sent = fake_seen(f, NULL, ".", i, "Authorization");

		if (sent)
			fail_msg("request %d carries %s", i, sent);
	}
}

static void test_basic(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *first = NULL;
	AUTO_FREE char *second = NULL;

	use_auth("basic");
	set_login(w, USER, PASSWORD);
	push_ok(w, &w->ref, &w->image->descriptor);
	/* Not before it is asked for; from then on without being asked. */
	first = fake_seen(&fake, "HEAD", "/manifests/v1", 0, "Authorization");
	assert_null(first);
	second = fake_seen(&fake, "HEAD", "/manifests/v1", 1, "Authorization");
	assert_string_equal(second, BASIC);
	assert_int_equal(fake_count(&fake, "POST", "/uploads/"), 4);
	assert_int_equal(fake_count(&fake, "PUT", "/blobs/"), 4);
	assert_int_equal(w->lookups, 1);
	pull_ok(w, &w->ref, w->image);
}

static void test_refused(void **state)
{
	static const char *const KINDS[] = {"basic", "bearer"};
	struct world *w = *state;

	for (size_t i = 0; i < 2; i++) {
		use_auth(KINDS[i]);
		new_client(w);
		set_login(w, USER, WRONG);
		assert_error(try_push(w, err), ERROR_DENIED, "slipway login 127.0.0.1:");
		new_client(w);
		set_login(w, NULL, NULL);
		assert_error(try_push(w, err), ERROR_DENIED, "slipway login 127.0.0.1:");
		assert_int_equal(fake_count(&fake, "PUT", "."), 0);
		/* A wrong password is not tried over and over: accounts get locked. */
		assert_true(fake_count(&fake, NULL, ".") < 40);
	}
}

static void test_wrong_password_text(void **state)
{
	struct world *w = *state;

	use_auth("bearer");
	set_login(w, USER, WRONG);
	assert_error(try_push(w, err), ERROR_DENIED, "incorrect username or password");
	new_client(w);
	assert_error(try_push(w, err), ERROR_DENIED, "log in to 127.0.0.1");
}

/* A helper that fails is not nobody. */
static void test_broken_helper(void **state)
{
	struct world *w = *state;

	use_auth("basic");
	w->login_broken = true;
	assert_error(try_push(w, err), ERROR_DENIED, "the helper is locked");
}

static void test_bearer(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *query = NULL;
	AUTO_FREE char *basic = NULL;
	AUTO_FREE char *put = NULL;

	use_auth("bearer");
	set_login(w, USER, PASSWORD);
	push_ok(w, &w->ref, &w->image->descriptor);
	/* One token for all of the push, by all threads. */
	assert_int_equal(fake_count(&fake, "GET", "/token"), 1);
	query = fake_seen(&fake, "GET", "/token", 0, "path");
	assert_string_equal(query, "/token?account=user&service=fault%20registry&"
				   "scope=repository%3Aapp%3Apull%2Cpush");
	basic = fake_seen(&fake, "GET", "/token", 0, "Authorization");
	assert_string_equal(basic, BASIC);
	put = fake_seen(&fake, "PUT", "/blobs/", 0, "Authorization");
	assert_memory_equal(put, "Bearer ", 7);
	pull_ok(w, &w->ref, w->image);
	assert_int_equal(fake_count(&fake, "GET", "/token"), 2);
}

static void test_anonymous_pull(void **state)
{
	struct world *w = *state;
	AUTO(descriptor) d = {0};

	use_auth("bearer");
	fake_setting(&fake, "{\"anonymous_pull\": true}");
	set_login(w, USER, PASSWORD);
	push_ok(w, &w->ref, &w->image->descriptor);
	set_login(w, NULL, NULL);
	new_client(w);
	pull_ok(w, &w->ref, w->image);
	make_ref(&w->ref, fake.host, "app:v2");
	assert_error(try_push(w, err), ERROR_DENIED, "slipway login");
	assert_error(registry_resolve(w->c, &w->ref, &d, err), ERROR_NOT_FOUND, "app:v2");
}

/* The registry forgets all tokens in the middle: one renewal, and the push goes on. */
static void test_token_ends_in_mid_push(void **state)
{
	struct world *w = *state;

	use_auth("bearer");
	set_login(w, USER, PASSWORD);
	w->o.pool = NULL;
	new_client(w);
	fake_rule(
		&fake,
		"{\"method\": \"PUT\", \"path\": \"/blobs/\", \"skip\": 1, \"expire_tokens\": true}");
	push_ok(w, &w->ref, &w->image->descriptor);
	assert_int_equal(fake_count(&fake, "GET", "/token"), 2);
	pull_ok(w, &w->ref, w->image);
}

/* Renewed at 80% of its life, so that no request is sent in vain. */
static void test_renewal(void **state)
{
	struct world *w = *state;
	int refused = 0;

	use_auth("bearer");
	fake_setting(&fake, "{\"expires_in\": 5}");
	set_login(w, USER, PASSWORD);
	push_ok(w, &w->ref, &w->image->descriptor);
	usleep(4200000);
	assert_ok(registry_push(w->c, w->from, &w->ref, &w->image->descriptor,
				&(struct push_result){0}, err));
	/* One more where the machine is so slow that it ends on the way. */
	assert_true(fake_count(&fake, "GET", "/token") >= 2);
	for (int i = 0; i < fake_count(&fake, NULL, "/v2/"); i++) {
		AUTO_FREE char *status = fake_seen(&fake, NULL, "/v2/", i, "status");

		refused += strcmp(status, "401") == 0;
	}
	assert_int_equal(refused, 1);
}

/* Mounting needs a right at the source too. */
static void test_mount_scope(void **state)
{
	struct world *w = *state;
	AUTO(image_ref) second = {0};
	AUTO_FREE char *query = NULL;

	use_auth("bearer");
	fake_setting(&fake, "{\"mount_scope\": true}");
	set_login(w, USER, PASSWORD);
	push_ok(w, &w->ref, &w->image->descriptor);
	make_ref(&second, fake.host, "second:v1");
	assert_int_equal(push_ok(w, &second, &w->image->descriptor).mounted, 4);
	query = fake_seen(&fake, "GET", "/token.*scope=.*scope=", 0, "path");
	assert_non_null(strstr(query, "scope=repository%3Asecond%3Apull%2Cpush&"
				      "scope=repository%3Aapp%3Apull"));
}

/* What a challenge asks for beyond our own comes first, and is asked for once. */
static void test_insufficient_scope(void **state)
{
	struct world *w = *state;
	AUTO(descriptor) d = {0};
	AUTO_FREE char *rule = NULL;
	AUTO_FREE char *query = NULL;

	use_auth("bearer");
	set_login(w, USER, PASSWORD);
	push_ok(w, &w->ref, &w->image->descriptor);
	rule = xstrfmt(
		"{\"method\": \"HEAD\", \"path\": \"/manifests/v1\", \"status\": 401, \"headers\": "
		"{\"WWW-Authenticate\": \"Bearer realm=\\\"%s/token\\\",service=\\\"fault registry\\\","
		"error=\\\"insufficient_scope\\\",scope=\\\"registry:catalog:*\\\"\"}}",
		fake.url);
	fake_rule(&fake, rule);
	assert_ok(registry_resolve(w->c, &w->ref, &d, err));
	query = fake_seen(&fake, "GET", "/token.*catalog", 0, "path");
	assert_non_null(
		strstr(query, "scope=registry%3Acatalog%3A%2A&scope=repository%3Aapp%3Apull"));
	/* For ever: given up, not asked in a circle. */
	free(take_ptr(rule));
	rule = xstrfmt(
		"{\"path\": \"/manifests/\", \"status\": 401, \"times\": -1, \"headers\": "
		"{\"WWW-Authenticate\": \"Bearer realm=\\\"%s/token\\\",error=\\\"insufficient_scope\\\","
		"scope=\\\"repository:other:pull\\\"\"}}",
		fake.url);
	fake_rule(&fake, rule);
	assert_error(registry_resolve(w->c, &w->ref, &d, err), ERROR_DENIED, "401");
	assert_true(fake_count(&fake, NULL, ".") < 60);
}

static void test_identity_token(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *type = NULL;
	AUTO_FREE char *sent = NULL;
	char token[] = "refresh-me";

	use_auth("bearer");
	w->login = (struct login){.identity_token = token};
	push_ok(w, &w->ref, &w->image->descriptor);
	assert_int_equal(fake_count(&fake, "POST", "^/token$"), 1);
	type = fake_seen(&fake, "POST", "^/token$", 0, "Content-Type");
	assert_string_equal(type, "application/x-www-form-urlencoded");
	sent = fake_seen(&fake, "POST", "^/token$", 0, "Authorization");
	assert_null(sent);
	/* A server that knows no OAuth2 is asked by GET. */
	fake_rule(&fake, "{\"method\": \"POST\", \"path\": \"/token\", \"status\": 404}");
	fake_setting(&fake, "{\"user\": \"<token>\", \"password\": \"refresh-me\"}");
	new_client(w);
	push_ok(w, &w->ref, &w->image->descriptor);
	assert_int_equal(fake_count(&fake, "GET", "^/token"), 1);
	fake_setting(&fake, "{\"user\": \"user\", \"password\": \"secret\"}");
}

/* ---- to whom never ------------------------------------------------------- */

static void test_evil_realms(void **state)
{
	static const char *const REALMS[] = {
		"http://169.254.169.254/latest",    "https://10.0.0.1/token", "file:///etc/passwd",
		"http://user:pw@127.0.0.1:9/token", "gopher://127.0.0.1/",    "http://0xa9fea9fe/",
		"http://[::ffff:10.0.0.1]/token"};
	struct world *w = *state;

	use_auth("bearer");
	set_login(w, USER, PASSWORD);
	for (size_t i = 0; i < ARRAY_SIZE(REALMS); i++) {
		AUTO_FREE char *json = xstrfmt("{\"realm\": \"%s\"}", REALMS[i]);

		fake_setting(&fake, json);
		new_client(w);
		assert_error(try_push(w, err), ERROR_DENIED, "names the token server");
	}
	assert_no_credentials(&fake);
}

static void test_realm_elsewhere(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *json = xstrfmt("{\"realm\": \"%s/token\"}", other.url);
	AUTO_FREE char *redirect = NULL;

	use_auth("bearer");
	fake_setting(&fake, json);
	set_login(w, USER, PASSWORD);
	/* A token server of its own is legitimate; where it redirects to, the password does not go. */
	redirect = xstrfmt("{\"path\": \"/token\", \"status\": 307, \"times\": -1, \"headers\": "
			   "{\"Location\": \"http://localhost:%s/stolen\"}}",
			   strchr(other.host, ':') + 1);
	fake_rule(&other, redirect);
	fake_rule(&other, "{\"path\": \"/stolen\", \"status\": 200, \"times\": -1, \"body\": "
			  "\"{\\\"token\\\": \\\"x\\\"}\"}");
	AUTO(error) why = ERROR_INIT;

	assert_int_equal(try_push(w, &why), -1);
	assert_true(fake_count(&other, NULL, "/stolen") > 0);
	for (int i = 0; i < fake_count(&other, NULL, "/stolen"); i++) {
		AUTO_FREE char *sent = fake_seen(&other, NULL, "/stolen", i, "Authorization");

		assert_null(sent);
	}
}

/* A token server that is down is knocked at a few times, not a few times for every attempt at the registry. */
static void test_realm_is_down(void **state)
{
	struct world *w = *state;

	use_auth("bearer");
	fake_setting(&fake, "{\"realm\": \"http://127.0.0.1:1/token\"}");
	assert_error(try_push(w, err), ERROR_NETWORK,
		     "ask for a token: 127.0.0.1:1: Connection refused");
	assert_int_equal(fake_count(&fake, NULL, "."), 1);
	assert_said(w, "Connection refused; retry 2 in");
	assert_null(strstr(w->said.buf, "retry 3 in"));
}

static void test_realm_redirects_inside(void **state)
{
	struct world *w = *state;

	use_auth("bearer");
	set_login(w, USER, PASSWORD);
	fake_rule(&fake, "{\"path\": \"/token\", \"status\": 302, \"times\": -1, \"headers\": "
			 "{\"Location\": \"http://169.254.169.254/\"}}");
	assert_error(try_push(w, err), ERROR_DENIED, "169.254.169.254");
	new_client(w);
	fake_reset(&fake);
	fake_rule(&fake, "{\"path\": \"/token\", \"status\": 302, \"times\": -1, \"headers\": "
			 "{\"Location\": \"/token?again\"}}");
	assert_error(try_push(w, err), ERROR_REMOTE, "more than 3 times");
}

/* An identity token in a form does not follow a redirect to another host. */
static void test_identity_token_stays(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *rule = xstrfmt(
		"{\"path\": \"/token\", \"status\": 307, \"times\": -1, \"headers\": "
		"{\"Location\": \"%s/stolen\"}}",
		other.url);
	char token[] = "refresh-me";

	use_auth("bearer");
	w->login = (struct login){.identity_token = token};
	fake_rule(&fake, rule);
	assert_error(try_push(w, err), ERROR_DENIED, "refused");
	assert_int_equal(fake_count(&other, NULL, "."), 0);
}

static void test_evil_locations(void **state)
{
	static const char *const REFUSED[] = {"http://169.254.169.254/up", "http://10.0.0.1/up",
					      "file:///tmp/up", "http://u:p@127.0.0.1:9/up"};
	struct world *w = *state;
	AUTO_FREE char *beside = NULL;

	use_auth("basic");
	set_login(w, USER, PASSWORD);
	for (size_t i = 0; i < ARRAY_SIZE(REFUSED); i++) {
		AUTO_FREE char *rule = xstrfmt(
			"{\"method\": \"POST\", \"path\": \"/uploads/\", \"times\": 8, "
			"\"set_headers\": {\"Location\": \"%s\"}}",
			REFUSED[i]);

		fake_reset(&fake);
		fake_rule(&fake, rule);
		assert_error(try_push(w, err), ERROR_DENIED, "names the upload session");
		assert_int_equal(fake_count(&fake, "PUT", "."), 0);
	}
	/* Another host gets the bytes, and no credentials. */
	fake_reset(&fake);
	beside = xstrfmt("{\"method\": \"POST\", \"path\": \"/uploads/\", \"times\": -1, "
			 "\"set_headers\": {\"Location\": \"%s/up?x=1\"}}",
			 other.url);
	fake_rule(&fake, beside);
	fake_rule(&other, "{\"path\": \"/up\", \"status\": 401, \"times\": -1, \"headers\": "
			  "{\"WWW-Authenticate\": \"Basic realm=\\\"evil\\\"\"}}");
	assert_error(try_push(w, err), ERROR_DENIED, "401");
	assert_true(fake_count(&other, "PUT", "/up.x=1&digest=sha256%3A") > 0);
	assert_no_credentials(&other);
}

/* A registry over TLS, with the certificate it is trusted by in a certs.d folder. */
static void test_tls(void **state)
{
	struct world *w = *state;
	AUTO(strlist) dirs = STRLIST_INIT;
	AUTO_FREE char *folder = NULL;
	AUTO_FREE char *pem = NULL;
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(descriptor) d = {0};
	struct fake secure;

	make_dirs("tls");
	assert_int_equal(fake_start(&secure, "--auth", "basic", "--tls", in_scratch("tls"), NULL),
			 0);
	set_login(w, USER, PASSWORD);
	make_ref(&w->ref, secure.host, "app:v1");
	assert_error(try_push(w, err), ERROR_NETWORK, "certs.d/127.0.0.1:");
	/* Loopback may be plain HTTP, but a certificate that fails is no reason to go without. */
	assert_int_equal(fake_count(&secure, NULL, "."), 0);
	folder = xstrfmt("certs/%s", secure.host);
	pem = xstrfmt("%s/ca.crt", folder);
	assert_ok(fs_read_file(secure.ca, &text, 100000, err));
	make_file(pem, text.buf);
	strlist_add(&dirs, in_scratch("certs"));
	w->o.certs_dirs = &dirs;
	new_client(w);
	push_ok(w, &w->ref, &w->image->descriptor);
	/* Over TLS no answer leads out of TLS. */
	fake_rule(&secure, "{\"method\": \"POST\", \"path\": \"/uploads/\", \"times\": -1, "
			   "\"set_headers\": {\"Location\": \"http://127.0.0.1:9/up\"}}");
	make_ref(&w->ref, secure.host, "second:v1");
	fake_call(&secure, "POST", "/_fake/forget", "{}", NULL);
	assert_error(try_push(w, err), ERROR_DENIED, "X-Forwarded-Proto");
	/* Without verification, for who asks for that. */
	AUTO(strlist) insecure = STRLIST_INIT;

	strlist_add(&insecure, secure.host);
	w->o.certs_dirs = NULL;
	w->o.insecure = &insecure;
	new_client(w);
	make_ref(&w->ref, secure.host, "app:v1");
	assert_ok(registry_resolve(w->c, &w->ref, &d, err));
	fake_stop(&secure);
}

/* docker login: the answer of the registry decides, not what is in the files. */
static void test_check_login(void **state)
{
	struct world *w = *state;
	struct login good = {.username = USER, .password = PASSWORD};
	struct login bad = {.username = USER, .password = WRONG};

	assert_ok(registry_check_login(w->c, fake.host, &bad, err)); /* nobody asks */
	use_auth("basic");
	assert_ok(registry_check_login(w->c, fake.host, &good, err));
	assert_error(registry_check_login(w->c, fake.host, &bad, err), ERROR_DENIED, "401");
	use_auth("bearer");
	assert_ok(registry_check_login(w->c, fake.host, &good, err));
	assert_error(registry_check_login(w->c, fake.host, &bad, err), ERROR_DENIED,
		     "incorrect username or password");
	assert_int_equal(w->lookups, 0);
	/* It is not what the client goes on with. */
	assert_error(try_push(w, err), ERROR_DENIED, "slipway login");
	assert_error(registry_check_login(w->c, "127.0.0.1:1", &good, err), ERROR_NETWORK,
		     "Connection refused");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_basic),
		world_test(test_refused),
		world_test(test_wrong_password_text),
		world_test(test_broken_helper),
		world_test(test_bearer),
		world_test(test_anonymous_pull),
		world_test(test_token_ends_in_mid_push),
		world_test(test_renewal),
		world_test(test_mount_scope),
		world_test(test_insufficient_scope),
		world_test(test_identity_token),
		world_test(test_evil_realms),
		world_test(test_realm_elsewhere),
		world_test(test_realm_is_down),
		world_test(test_realm_redirects_inside),
		world_test(test_identity_token_stays),
		world_test(test_evil_locations),
		world_test(test_tls),
		world_test(test_check_login),
	};
	int failed;

	pool = pool_new(6);
	failed = cmocka_run_group_tests(tests, world_start, world_stop);
	pool_free(pool);
	return failed;
}
