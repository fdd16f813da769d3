/* Every limit on foreign input, in one place. */
#pragma once

#define LIMIT_DOCKERFILE_BYTES (16u << 20)
#define LIMIT_DOCKERFILE_LINE  65535u
#define LIMIT_INSTRUCTIONS     100000u     /* of one Dockerfile */
#define LIMIT_EXPANDED_BYTES   (16u << 20) /* one word after expansion of its variables */
#define LIMIT_IGNORE_BYTES     (64u << 20)
#define LIMIT_MANIFEST_BYTES   (16u << 20)
#define LIMIT_PUSHED_MANIFEST \
	(4u << 20) /* taken by the embedded registry; the specification's least */
#define LIMIT_HTPASSWD_BYTES    (1u << 20)
#define LIMIT_CONFIG_BYTES      (16u << 20)
#define LIMIT_JSON_DEPTH        256
#define LIMIT_JSON_CONTAINERS   250000u  /* objects and arrays of one document */
#define LIMIT_JSON_VALUES       1000000u /* everything in it */
#define LIMIT_CACHE_RECORDS     100000u  /* of one cache that --cache-from names */
#define LIMIT_MANIFEST_LAYERS   4096
#define LIMIT_INDEX_DEPTH       4
#define LIMIT_INDEX_MANIFESTS   4096
#define LIMIT_BLOB_BYTES        (1ll << 42) /* 4 TiB: a size field beyond it is refused */
#define LIMIT_LAYER_ENTRIES     5000000ll
#define LIMIT_LAYER_BYTES       (1ll << 40)   /* uncompressed */
#define LIMIT_LAYER_RATIO       1000          /* uncompressed : compressed ... */
#define LIMIT_LAYER_RATIO_AFTER (100ll << 20) /* ... once this much came out */
#define LIMIT_PATH_BYTES        4096
#define LIMIT_PATH_DEPTH        4096
#define LIMIT_XATTRS            1024 /* of one entry */
#define LIMIT_REPOSITORY_DEPTH  256  /* folders of a git working tree */
#define LIMIT_XATTR_BYTES       (1u << 20)
#define LIMIT_PASSWD_BYTES      (1u << 20)
#define LIMIT_HTTP_HEADER_BYTES (256u << 10)
#define LIMIT_HTTP_ERROR_BODY   (64u << 10)
#define LIMIT_TOKEN_BYTES       (1u << 20)
#define LIMIT_AUTH_FILE_BYTES   (4u << 20)
#define LIMIT_ENV_FILE          (1u << 20) /* run --env-file */
#define LIMIT_CA_BYTES          (16u << 20)
#define LIMIT_HELPER_OUTPUT     (1u << 20)
#define LIMIT_DOWNLOAD_BYTES    (32ll << 30) /* ADD of a URL */
#define LIMIT_AGENT_MESSAGE     (256u << 10) /* of an SSH agent; OpenSSH's own limit */
#define LIMIT_SECRET_BYTES      (500u << 10)
#define LIMIT_STATE_DOCUMENT    (16u << 20) /* of the local target */
#define LIMIT_LOG_EVENT         (256u << 10)
#define LIMIT_API_BODY          (16u << 20) /* of a request to the local target ... */
#define LIMIT_API_BODIES        (96u << 20) /* ... and of all that come at once */
#define LIMIT_FORM_MEMBERS      10000
#define LIMIT_FORM_DEPTH        16
#define LIMIT_STEP_TAIL_LINES   30 /* lines of a failed RUN that are repeated */
