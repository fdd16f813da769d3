/*
 * The target of a request as the distribution specification understands it: /v2/NAME/manifests/REFERENCE and the others
 * (OCI distribution-spec 1.1, Endpoints). Nothing of it becomes a path before it was held against the grammar.
 */
#pragma once

#include <stdbool.h>

#include "base/strlist.h"
#include "base/strmap.h"
#include "oci/digest.h"

enum route_kind {
	ROUTE_NONE,      /* no endpoint of ours */
	ROUTE_BASE,      /* /v2/ */
	ROUTE_CATALOG,   /* /v2/_catalog, Docker's */
	ROUTE_MANIFEST,  /* /v2/NAME/manifests/TAG or DIGEST */
	ROUTE_BLOB,      /* /v2/NAME/blobs/DIGEST */
	ROUTE_UPLOADS,   /* /v2/NAME/blobs/uploads/ */
	ROUTE_UPLOAD,    /* /v2/NAME/blobs/uploads/ID */
	ROUTE_TAGS,      /* /v2/NAME/tags/list */
	ROUTE_REFERRERS, /* /v2/NAME/referrers/DIGEST */
};

#define ROUTE_PARAMETERS 50

enum route_problem {
	ROUTE_FINE,
	ROUTE_BAD_TARGET,    /* no path, a bad escape, NUL or an escaped slash */
	ROUTE_BAD_NAME,      /* the repository's */
	ROUTE_BAD_REFERENCE, /* neither tag nor digest */
	ROUTE_BAD_DIGEST,
	ROUTE_TOO_LONG, /* more parameters than ROUTE_PARAMETERS */
};

struct route {
	enum route_kind kind;
	enum route_problem problem;
	char *repository; /* NULL, or what stands there, valid unless problem says so */
	char *reference;  /* tag, digest or upload ID as written; NULL where there is none */
	struct digest digest;
	struct strmap query; /* decoded; of a name that comes twice the first */
	struct strlist tags; /* all values of "tag" */
};

/* target: what stands in the request line, also in absolute form. Always fills out, which starts zeroed. */
void route_parse(struct route *out, const char *target);
void route_release(struct route *r);

CLEANUP_RELEASE(route)
