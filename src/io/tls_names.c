/* tls_names.c - the names of hosts in certificates, and the certificate that SNI asks for. */
#include "base/mem.h"
#include "io/tls_inside.h"

#include <errno.h>
#include <openssl/x509v3.h>

#define NAME_MAX_BYTES 255u /* RFC 1035 */

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* The name in lower case in OUT, or nothing where it cannot be the name of a host. */
static slice host_name(const GENERAL_NAME *name, char out[NAME_MAX_BYTES]) {
    if (name->type != GEN_DNS)
        return (slice){0};
    const unsigned char *bytes = ASN1_STRING_get0_data(name->d.dNSName);
    int size = ASN1_STRING_length(name->d.dNSName);
    if (size <= 0 || size > (int)NAME_MAX_BYTES)
        return (slice){0};
    for (int i = 0; i < size; i++) {
        if (bytes[i] <= ' ' || bytes[i] > '~')
            return (slice){0};
        out[i] = lower((char)bytes[i]);
    }
    return slice_make(out, (size_t)size);
}

int io_tls_names_of(X509 *certificate, struct buf *out) {
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    char text[NAME_MAX_BYTES];
    int failed = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !failed; i++) {
        slice name = host_name(sk_GENERAL_NAME_value(names, i), text);
        if (name.len)
            failed = buf_printf(out, "%.*s\n", slice_fmt(name));
    }
    GENERAL_NAMES_free(names);
    return failed;
}

static int add_name(struct io_tls *tls, slice name, SSL_CTX *context) {
    char *key = mem_copy(name.ptr, name.len);
    if (!key)
        return -ENOMEM;
    int failed = map_add(&tls->names, slice_make(key, name.len), context);
    if (failed)
        mem_free(key);
    return failed == -EEXIST ? 0 : failed;
}

int io_tls_names_add(struct io_tls *tls, SSL_CTX *context) {
    _cleanup_buf_ struct buf text = buf_make(IO_TLS_NAMES_MAX * (NAME_MAX_BYTES + 1));
    int failed = io_tls_names_of(SSL_CTX_get0_certificate(context), &text);
    slice rest = buf_slice(&text);
    while (rest.len && !failed)
        failed = add_name(tls, slice_cut(rest, '\n', &rest), context);
    return failed;
}

SSL_CTX *io_tls_names_find(const struct io_tls *tls, slice name) {
    char text[NAME_MAX_BYTES];
    if (name.len > sizeof text)
        return NULL;
    for (size_t i = 0; i < name.len; i++)
        text[i] = lower(name.ptr[i]);
    slice asked = slice_make(text, name.len);
    SSL_CTX *context = map_find(&tls->names, asked);
    ptrdiff_t dot = slice_find(asked, '.');
    if (context || dot <= 0)
        return context;
    text[dot - 1] = '*'; /* in the place of the whole first label */
    return map_find(&tls->names, slice_skip(asked, (size_t)dot - 1));
}

void io_tls_names_free(struct io_tls *tls) {
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(&tls->names, &at));)
        mem_free((void *)(uintptr_t)entry->key.ptr);
    map_free(&tls->names);
}
