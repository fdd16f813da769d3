#include "deploy/listeners.h"

#include <string.h>

#include "deploy/target_group.h"

struct wanted {
	int port;
	const char *protocol;
	const char *certificate; /* NULL: none */
	const char *group;       /* NULL: redirects to HTTPS */
};

static json_t *action_of(const struct wanted *w)
{
	if (w->group)
		return json_pack("{s:s, s:s}", "Type", "forward", "TargetGroupArn", w->group);
	return json_pack("{s:s, s:{s:s, s:s, s:s}}", "Type", "redirect", "RedirectConfig",
			 "Protocol", "HTTPS", "Port", "443", "StatusCode", "HTTP_301");
}

/* The listener on the port; a view, NULL: there is none. */
static const json_t *listener_on(const json_t *listeners, int port)
{
	const json_t *listener;
	size_t i;

	json_array_foreach (listeners, i, listener) {
		if (aws_int(listener, "Port") == port)
			return listener;
	}
	return NULL;
}

static bool is_as_wanted(const json_t *listener, const struct wanted *w)
{
	const json_t *action = json_array_get(json_object_get(listener, "DefaultActions"), 0);
	const json_t *certificate = json_array_get(json_object_get(listener, "Certificates"), 0);

	if (strcmp(aws_text(listener, "Protocol"), w->protocol) != 0 ||
	    (w->certificate &&
	     strcmp(aws_text(certificate, "CertificateArn"), w->certificate) != 0))
		return false;
	if (w->group)
		return strcmp(aws_text(action, "TargetGroupArn"), w->group) == 0;
	return strcmp(aws_text(action, "Type"), "redirect") == 0;
}

static int make(const struct deploy_target *t, const char *balancer, const json_t *listeners,
		const struct wanted *w, struct error *err)
{
	const json_t *there = listener_on(listeners, w->port);
	AUTO_JSON *params = json_pack("{s:s, s:i, s:[o]}", "Protocol", w->protocol, "Port", w->port,
				      "DefaultActions", action_of(w));
	AUTO(aws_reply) reply = {0};

	if (there && is_as_wanted(there, w))
		return 0;
	if (w->certificate)
		json_object_set_new(params, "Certificates",
				    json_pack("[{s:s}]", "CertificateArn", w->certificate));
	if (there) {
		json_object_set_new(params, "ListenerArn",
				    json_string(aws_text(there, "ListenerArn")));
	} else {
		json_object_set_new(params, "LoadBalancerArn", json_string(balancer));
		json_object_set_new(params, "Tags", deploy_target_tags(t, "Key", "Value"));
	}
	if (balancer_ask(t, there ? "ModifyListener" : "CreateListener", params, NULL, &reply,
			 err) < 0)
		return error_wrap(err, "listener on port %d", w->port);
	return 0;
}

int listeners_make(const struct deploy_target *t, const char *balancer, const char *group,
		   const char *certificate, struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s}", "LoadBalancerArn", balancer);
	const struct aws_question q = {
		.service = AWS_ELBV2, .operation = "DescribeListeners", .params = params};
	const struct wanted http = {80, "HTTP", NULL, certificate ? NULL : group};
	const struct wanted https = {443, "HTTPS", certificate, group};
	AUTO_JSON *listeners = NULL;

	if (aws_ask_all(t->aws, &q, "Listeners", &listeners, err) < 0)
		return -1;
	/* The target group belongs to a load balancer only once a listener leads to it. */
	if (certificate && make(t, balancer, listeners, &https, err) < 0)
		return -1;
	return make(t, balancer, listeners, &http, err);
}
