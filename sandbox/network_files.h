/*
 * /etc/hosts, /etc/resolv.conf and /etc/hostname as a step sees them: bound over whatever the image has, so that
 * nothing of them reaches a layer.
 */
#pragma once

#include <stdbool.h>

#include "base/strbuf.h"
#include "sandbox/rootfs.h"

#define NETWORK_FILES_COUNT 3

struct network_files {
	struct strbuf hosts, resolv_conf, hostname;
};
#define NETWORK_FILES_INIT                                                                \
	{                                                                                 \
		.hosts = STRBUF_INIT, .resolv_conf = STRBUF_INIT, .hostname = STRBUF_INIT \
	}

/* host_network: the host's own resolvers, at 127.0.0.x, can be reached. nameserver: takes the place of all of the host's; NULL: none does. */
void network_files_make(struct network_files *f, const char *hostname,
			const struct strlist *add_hosts, bool host_network, const char *nameserver);
/* Views of f as mounts. */
void network_files_mounts(const struct network_files *f,
			  struct sandbox_mount mounts[NETWORK_FILES_COUNT]);
void network_files_release(struct network_files *f);
/*
 * The lines of a resolv.conf without name servers on the loopback, which another network namespace does not have; with nameserver (NULL: none), that one
 * instead of any.
 */
void resolv_conf_filter(const char *text, const char *nameserver, struct strbuf *out);

CLEANUP_RELEASE(network_files)
