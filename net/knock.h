/* Does anybody listen there? */
#pragma once

enum knock_answer {
	KNOCK_OPEN,    /* a connection was made, and closed again */
	KNOCK_REFUSED, /* the host is there, and nobody listens */
	KNOCK_SILENT,  /* no answer in time, or no way there */
};

/* ip: a numeric IPv4 or IPv6 address. Waits timeout_ms at most. */
enum knock_answer net_knock(const char *ip, int port, int timeout_ms);
