#include "registry/retry.h"

#include <string.h>
#include <sys/random.h>

#include "base/time.h"
#include "registry/remote_error.h"

#define NS_PER_MS      1000000ll
#define NS_PER_S       1000000000ll
#define MAX_RETRIES    6
#define BASE_MS        500
#define MAX_DELAY_NS   (30 * NS_PER_S)
#define MAX_NAP_NS     (NS_PER_S / 5)
#define MAX_AFTER_S    300
#define PROGRESS_BYTES (1ll << 20)
#define PROGRESS_TIME  (60 * NS_PER_S)
/* A host that never answered is more likely misspelt or down than busy. */
#define MAX_UNREACHABLE 2

static const int STATUSES[] = {408, 429, 499, 500, 502, 503, 504, 522};

bool retry_status(int status)
{
	for (size_t i = 0; i < sizeof(STATUSES) / sizeof(STATUSES[0]); i++) {
		if (STATUSES[i] == status)
			return true;
	}
	return false;
}

int64_t retry_after_ns(const struct http_response *res, int64_t now)
{
	const char *value = http_header_get(res, "Retry-After", 0);
	const char *date = http_header_get(res, "Date", 0);
	size_t digits = value ? strspn(value, "0123456789") : 0;
	int64_t seconds = 0;

	if (!value)
		return -1;
	if (digits && !value[digits]) {
		for (size_t i = 0; i < digits && seconds <= MAX_AFTER_S; i++)
			seconds = seconds * 10 + (value[i] - '0');
	} else {
		int64_t until = http_parse_date(value);
		/* Both by the server's clock: ours may be wrong. */
		int64_t sent = date ? http_parse_date(date) : -1;

		if (until < 0)
			return -1;
		seconds = until - (sent >= 0 ? sent : now);
	}
	if (seconds < 0)
		seconds = 0;
	return (seconds > MAX_AFTER_S ? MAX_AFTER_S : seconds) * NS_PER_S;
}

void retry_begin(struct retry *r, struct registry_host *host, int step, const char *what)
{
	*r = (struct retry){
		.host = host,
		.step = step,
		.what = what,
		.last_break_ns = time_monotonic_ns(),
	};
}

/* A random part of the delay ("full jitter"), so that many clients do not come back at once. */
static int64_t backoff_ns(const struct retry *r)
{
	const struct registry_options *o = &r->host->client->o;
	int64_t delay = (o->retry_base_ms > 0 ? o->retry_base_ms : BASE_MS) * NS_PER_MS;
	uint64_t random = 0;

	for (int i = 1; i < r->failures && delay < MAX_DELAY_NS; i++)
		delay *= 2;
	if (delay > MAX_DELAY_NS)
		delay = MAX_DELAY_NS;
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return delay;
	return (int64_t)(random % (uint64_t)delay);
}

static bool worth_it(const struct retry *r, const struct http_response *res,
		     const struct error *why)
{
	int max = r->host->client->o.max_retries > 0 ? r->host->client->o.max_retries : MAX_RETRIES;
	bool answered;

	if (res)
		return retry_status(res->status) && r->failures <= max;
	if (http_failure_is_final(why))
		return false;
	pthread_mutex_lock(&r->host->lock);
	answered = r->host->answered;
	pthread_mutex_unlock(&r->host->lock);
	if ((why->number == HTTP_FAILURE_NAME || why->number == HTTP_FAILURE_SILENT) && !answered)
		return false;
	if (why->number == HTTP_FAILURE_REFUSED && !answered && max > MAX_UNREACHABLE)
		max = MAX_UNREACHABLE;
	return r->failures <= max;
}

static void say(const struct retry *r, const struct http_response *res, const struct error *why,
		int64_t delay)
{
	AUTO(strbuf) reason = STRBUF_INIT;
	double seconds = (double)delay / 1e9;
	struct reporter *reporter = r->host->client->o.reporter;

	if (res)
		remote_describe(&reason, r->host->login_name, res);
	else
		strbuf_puts(&reason, why->message ? why->message : "failed");
	if (r->step)
		report_step_note(reporter, r->step, "%s; retry %d in %.1f s", reason.buf,
				 r->failures, seconds);
	else
		report_log(reporter, LOG_INFO, "%s: %s; retry %d in %.1f s", r->what, reason.buf,
			   r->failures, seconds);
}

static int wait_out(const struct retry *r, int64_t delay, struct error *err)
{
	int64_t end = time_monotonic_ns() + delay, left;

	while ((left = end - time_monotonic_ns()) > 0) {
		if (r->stop && atomic_load(r->stop))
			return error_set(err, ERROR_CANCELLED,
					 "ended because another transfer failed");
		if (r->stop && left > MAX_NAP_NS)
			left = MAX_NAP_NS;
		if (client_sleep(r->host->client, left, err) < 0)
			return -1;
	}
	return 0;
}

int retry_again(struct retry *r, const struct http_response *res, const struct error *why,
		int64_t progress, struct error *err)
{
	int64_t now = time_monotonic_ns();
	int64_t delay, asked;

	if (res && !retry_status(res->status))
		return 0;
	if (progress >= PROGRESS_BYTES || (progress > 0 && now - r->last_break_ns >= PROGRESS_TIME))
		r->failures = 0;
	r->last_break_ns = now;
	r->failures++;
	if (!worth_it(r, res, why))
		return 0;
	delay = backoff_ns(r);
	asked = res ? retry_after_ns(res, time_now()) : -1;
	if (asked >= 0)
		delay = asked;
	/* Who does not want to wait that long has the answer as the result. */
	if (r->host->client->o.max_pause_ms > 0 &&
	    delay > r->host->client->o.max_pause_ms * NS_PER_MS)
		return 0;
	say(r, res, why, delay);
	if (res && (res->status == 429 || asked >= 0))
		host_pause(r->host, delay);
	return wait_out(r, delay, err) < 0 ? -1 : 1;
}
