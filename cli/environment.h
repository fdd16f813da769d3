/* The process's environment, read once. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/strlist.h"
#include "base/strmap.h"

struct environment {
	char *root; /* state folder */
	char *home;
	struct strlist auth_files; /* docker's and containers' files, in order of search */
	struct strlist certs_dirs; /* .../certs.d */
	char *ca_file, *ca_dir;    /* SSL_CERT_FILE, SSL_CERT_DIR; NULL when not set */
	char *aws_ca_file;         /* AWS_CA_BUNDLE, else as ca_file: for AWS alone */
	struct strmap proxy;       /* HTTP_PROXY and kin, as set */
	struct strlist connect_to; /* SLIPWAY_CONNECT_TO: "HOST:PORT:OTHER:PORT", blanks between */
	char *source_date_epoch;   /* NULL when not set */
	char *default_platform;    /* DOCKER_DEFAULT_PLATFORM, NULL when not set */
	char *sandbox_mode;        /* SLIPWAY_SANDBOX, NULL when not set */
	char *sandbox_storage;     /* SLIPWAY_STORAGE, NULL when not set */
	bool no_color, verbose;
	/* SLIPWAY_TEST_RETRY_MS, SLIPWAY_TEST_STALL_MS, SLIPWAY_TEST_POLL_MS, SLIPWAY_TEST_SETTLE_MS; 0: as usual */
	int retry_ms, stall_ms, poll_ms, settle_ms;
	mode_t umask; /* the user's, for files outside the store */
	char **envp;  /* the process's own, for helpers */
};

void environment_init(struct environment *e, char **envp);
void environment_release(struct environment *e);
const char *environment_get(const struct environment *e, const char *name);
/* The proxy of http URLs in capital letters, which libcurl does not read; NULL: none, or there is one in small letters. */
const char *environment_http_proxy(const struct environment *e);
