#include "local/api_answer.h"

#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "local/api_xml.h"

#define ID_SIZE    37
#define CREDENTIAL "Credential="

/* "c5a1c0a6-...": of the form of a UUID, version 4 (RFC 9562). */
static void make_id(char id[ID_SIZE])
{
	random_hex(id, ID_SIZE - 1);
	id[8] = id[13] = id[18] = id[23] = '-';
	id[14] = '4';
	id[19] = "89ab"[id[19] % 4];
}

/* A request that has not said what it is came as JSON when it has a target. */
static enum api_protocol protocol_of(struct server_request *r, const struct api_call *c)
{
	if (c->service)
		return c->service->protocol;
	return server_request_header(r, "X-Amz-Target") ? API_JSON : API_QUERY;
}

void api_answer_write(struct strbuf *out, struct api_call *c, const char *action)
{
	enum api_protocol protocol = c->service->protocol;
	char id[ID_SIZE];

	if (protocol == API_JSON) {
		json_write(c->output, out);
		return;
	}
	make_id(id);
	strbuf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	if (protocol == API_EC2) {
		strbuf_printf(
			out,
			"<%sResponse xmlns=\"http://ec2.amazonaws.com/doc/%s/\"><requestId>%s</requestId>",
			action, c->service->target, id);
		api_xml_members(out, c->output, "item");
	} else {
		strbuf_printf(out,
			      "<%sResponse xmlns=\"https://%s.amazonaws.com/doc/%s/\"><%sResult>",
			      action, c->service->name, c->service->target, action);
		api_xml_members(out, c->output, "member");
		strbuf_printf(
			out,
			"</%sResult><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata>",
			action, id);
	}
	strbuf_printf(out, "</%sResponse>\n", action);
}

static void send(struct server_request *r, enum api_protocol protocol, int status, const char *text,
		 size_t len)
{
	char id[ID_SIZE];

	make_id(id);
	server_add_header(r, "x-amzn-RequestId", id);
	server_add_header(r, "X-Content-Type-Options", "nosniff");
	server_add_header(r, "Content-Type",
			  protocol == API_JSON ? "application/x-amz-json-1.1"
					       : "text/xml;charset=UTF-8");
	server_answer(r, status, text, len);
}

void api_answer(struct server_request *r, const struct api_call *c, const char *text, size_t len)
{
	send(r, c->service->protocol, 200, text, len);
}

static void write_json_error(struct strbuf *out, const struct api_call *c)
{
	AUTO_JSON *j = json_object();

	json_object_set_new(j, "__type", json_text(c->code));
	json_object_set_new(j, "message", json_text(c->message));
	json_write(j, out);
}

static void write_xml_error(struct strbuf *out, const struct api_call *c, bool ec2)
{
	char id[ID_SIZE];

	make_id(id);
	strbuf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	strbuf_puts(out, ec2 ? "<Response><Errors><Error>" : "<ErrorResponse><Error>");
	if (!ec2)
		strbuf_printf(out, "<Type>%s</Type>", c->status < 500 ? "Sender" : "Receiver");
	strbuf_puts(out, "<Code>");
	api_xml_text(out, c->code, strlen(c->code));
	strbuf_puts(out, "</Code><Message>");
	api_xml_text(out, c->message, strlen(c->message));
	strbuf_puts(out, "</Message></Error>");
	if (ec2)
		strbuf_printf(out, "</Errors><RequestID>%s</RequestID></Response>\n", id);
	else
		strbuf_printf(out, "<RequestId>%s</RequestId></ErrorResponse>\n", id);
}

void api_answer_error(struct server_request *r, const struct api_call *c)
{
	enum api_protocol protocol = protocol_of(r, c);
	AUTO(strbuf) text = STRBUF_INIT;

	if (protocol == API_JSON) {
		server_add_header(r, "x-amzn-ErrorType", c->code);
		write_json_error(&text, c);
	} else {
		write_xml_error(&text, c, protocol == API_EC2);
	}
	send(r, protocol, c->status, text.buf, text.len);
}

void api_answer_refusal(struct server_request *r, struct api_call *c, enum auth_problem problem,
			const char *message)
{
	static const struct {
		const char *code;
		int status;
	} rows[][3] = {
		[AUTH_MISSING] = {{"MissingAuthenticationTokenException", 400},
				  {"MissingAuthenticationToken", 403},
				  {"MissingAuthenticationToken", 403}},
		[AUTH_INCOMPLETE] = {{"IncompleteSignatureException", 400},
				     {"IncompleteSignature", 400},
				     {"IncompleteSignature", 400}},
		[AUTH_UNKNOWN] = {{"UnrecognizedClientException", 400},
				  {"InvalidClientTokenId", 403},
				  {"AuthFailure", 401}},
		[AUTH_TOKEN_IS_OLD] = {{"ExpiredTokenException", 400},
				       {"ExpiredToken", 403},
				       {"RequestExpired", 400}},
		[AUTH_CLOCK] = {{"InvalidSignatureException", 400},
				{"SignatureDoesNotMatch", 403},
				{"RequestExpired", 400}},
		[AUTH_MISMATCH] = {{"InvalidSignatureException", 400},
				   {"SignatureDoesNotMatch", 403},
				   {"AuthFailure", 401}},
	};
	enum api_protocol protocol = protocol_of(r, c);

	api_error(c, rows[problem][protocol].code, "%s", message);
	c->status = rows[problem][protocol].status;
	api_answer_error(r, c);
}

bool api_answer_is_foreign(struct server_request *r)
{
	const char *header = server_request_header(r, "Authorization");

	return header && str_starts(header, "AWS4-HMAC-SHA256");
}

/* "s3" of "Credential=KEY/DATE/REGION/s3/aws4_request"; free(). */
static char *scope_of(struct server_request *r)
{
	const char *header = server_request_header(r, "Authorization");
	const char *at = strstr(header, CREDENTIAL);

	for (int i = 0; at && i < 3; i++) {
		at = strchr(at, '/');
		at = at ? at + 1 : NULL;
	}
	return at ? xstrndup(at, strcspn(at, "/, ")) : xstrdup("");
}

void api_answer_foreign(struct server_request *r)
{
	AUTO_FREE char *service = scope_of(r);
	AUTO(strbuf) list = STRBUF_INIT;
	struct api_call c = {0};

	api_service_list(&list, NULL);
	api_error(&c, "UnknownOperationException",
		  "%.16s %.200s of %.60s: the local target has %s, by POST to /",
		  server_request_method(r), server_request_target(r),
		  *service ? service : "an unknown service", list.buf);
	if (strcmp(service, "s3") == 0) {
		AUTO(strbuf) text = STRBUF_INIT;

		strbuf_puts(&text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>"
				   "NotImplemented</Code><Message>");
		api_xml_text(&text, c.message, strlen(c.message));
		strbuf_puts(&text, "</Message></Error>\n");
		send(r, API_QUERY, c.status, text.buf, text.len);
	} else {
		AUTO(strbuf) text = STRBUF_INIT;

		server_add_header(r, "x-amzn-ErrorType", c.code);
		write_json_error(&text, &c);
		send(r, API_JSON, c.status, text.buf, text.len);
	}
	free(c.code);
	free(c.message);
}
