#include "registry/remote_error.h"
#include "registry/request.h"

/* A host of its own, so that the login tried here is not the one the client goes on with. */
static int ask(struct registry_host *host, const char *name, struct error *err)
{
	AUTO(http_response) res = {0};
	AUTO(strlist) no_scopes = STRLIST_INIT;
	struct registry_request r = {
		.host = host,
		.what = "log in",
		.path = "/v2/",
		.need = {.scopes = &no_scopes},
		.http = {.method = "GET", .body_len = -1},
	};

	if (registry_send(&r, &res, NULL, err) < 0)
		return -1;
	if (res.status == 200)
		return 0;
	if (res.status == 401 || res.status == 403) {
		AUTO(strbuf) text = STRBUF_INIT;

		remote_describe(&text, name, &res);
		error_set(err, ERROR_DENIED, "log in: %s", text.buf);
		if (err)
			err->status = res.status;
		return error_hint(err, "check user name and password");
	}
	return remote_error(err, "log in", name, &res);
}

int registry_check_login(struct registry_client *c, const char *host, const struct login *l,
			 struct error *err)
{
	struct image_ref ref = {.host = (char *)(uintptr_t)host};
	AUTO_PTR(registry_host) own = host_new(c, image_ref_api_host(&ref), host);

	auth_use_login(own, l);
	return ask(own, host, err);
}
