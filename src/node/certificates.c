/*
 * certificates.c - the certificates of the listeners, looked at before a config is taken up.
 *
 * The tables know paths only; here the files are read as the listeners will read them, so that what
 * would refuse a start or a reload is told with its place in nonet.yaml, by `nonet check` too.
 */
#include "node/parts.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define NAMES_BYTES_MAX (IO_TLS_NAMES_MAX * 256u)

struct certificate {
    struct io_tls_pair pair; /* NULLs where the config is at fault */
    struct conf_place place;
    size_t names_end; /* its names end here in the text of all */
};

/* One name of one certificate. */
struct named {
    slice name;
    unsigned certificate; /* its place in the listener's order */
};

/* OUT is ended by NULL. */
static void open_listeners(const struct config *config, const struct config_listener *out[6]) {
    const struct config_listener *all[] = {&config->listen.nats, &config->listen.http,
                                           &config->listen.admin, &config->listen.sql,
                                           &config->listen.websocket};
    unsigned count = 0;
    for (size_t i = 0; i < array_count(all); i++)
        if (!all[i]->item.off && !all[i]->item.faulty && !all[i]->tls.item.faulty)
            out[count++] = all[i];
    out[count] = NULL;
}

static unsigned certificate_count(const struct config_tls *tls) {
    return (tls->cert.len && tls->key.len) + (unsigned)tls->certificates.count;
}

static struct certificate certificate_at(const struct config_tls *tls, unsigned index) {
    const struct config_certificate *more = tls->certificates.items;
    unsigned own = tls->cert.len && tls->key.len;
    if (index < own)
        return (struct certificate){{tls->cert.ptr, tls->key.ptr}, tls->item.place, 0};
    more += index - own;
    if (more->item.faulty)
        return (struct certificate){.place = more->item.place};
    return (struct certificate){{more->cert.ptr, more->key.ptr}, more->item.place, 0};
}

/* --- names ------------------------------------------------------------------------------------ */

static int by_name(const void *a, const void *b) {
    const struct named *x = a, *y = b;
    int order = slice_compare(x->name, y->name);
    return order ? order : (x->certificate > y->certificate) - (x->certificate < y->certificate);
}

/* The names in TEXT, sorted, in ALL (room for IO_TLS_NAMES_MAX). */
static size_t sort_names(slice text, const struct certificate *certificates, struct named *all) {
    const char *begin = text.ptr;
    size_t count = 0;
    unsigned certificate = 0;
    while (text.len && count < IO_TLS_NAMES_MAX) {
        slice name = slice_cut(text, '\n', &text);
        while (name.ptr >= begin + certificates[certificate].names_end)
            certificate++;
        all[count++] = (struct named){name, certificate};
    }
    qsort(all, count, sizeof *all, by_name);
    return count;
}

static void judge_names(slice text, const struct certificate *certificates,
                        struct conf_errors *errors) {
    struct named *all = mem_zalloc(IO_TLS_NAMES_MAX, sizeof *all);
    size_t count = all ? sort_names(text, certificates, all) : 0;
    for (size_t i = 1; i < count; i++) {
        const struct named *first = &all[i - 1], *second = &all[i];
        if (first->certificate == second->certificate || !slice_equal(first->name, second->name))
            continue;
        conf_errors_note(errors, certificates[second->certificate].place,
                         "a name belongs to one certificate of a listener",
                         "certificates %s and %s are both for %.*s",
                         certificates[first->certificate].pair.cert_file,
                         certificates[second->certificate].pair.cert_file,
                         slice_fmt(slice_take(first->name, 128)));
    }
    mem_free(all);
}

/* --- a listener ------------------------------------------------------------------------------- */

static void note_failure(const struct config_listener *listener, struct conf_place place,
                         const struct error *error, struct conf_errors *errors) {
    conf_errors_note(errors, place, error->hint[0] ? error->hint : NULL, "listener %.*s: %s: %s",
                     slice_fmt(listener->item.name), error->message, error->place);
}

/* The files of one certificate, its names behind those of the others. */
static void judge_pair(const struct config_listener *listener, unsigned index,
                       struct certificate *certificate, struct buf *names,
                       struct conf_errors *errors) {
    struct io_tls_facts facts;
    struct error error = {0};
    size_t before = names->len;
    *certificate = certificate_at(&listener->tls, index);
    const char *ca = index == 0 && listener->tls.ca.len ? listener->tls.ca.ptr : NULL;
    if (certificate->pair.cert_file &&
        io_tls_examine(&certificate->pair, ca, &facts, names, &error))
        note_failure(listener, certificate->place, &error, errors);
    else if (certificate->pair.cert_file && index > 0 && names->len == before)
        conf_errors_note(errors, certificate->place, "give it a subjectAltName with DNS names",
                         "listener %.*s: no client could ask for the certificate %s, which has no "
                         "name of a host",
                         slice_fmt(listener->item.name), certificate->pair.cert_file);
    certificate->names_end = names->len;
}

static void judge_listener(const struct config_listener *listener, struct conf_errors *errors) {
    unsigned count = certificate_count(&listener->tls);
    _cleanup_buf_ struct buf names = buf_make(NAMES_BYTES_MAX);
    struct certificate *certificates = mem_zalloc(count + 1, sizeof *certificates);
    for (unsigned i = 0; certificates && i < count; i++)
        judge_pair(listener, i, &certificates[i], &names, errors);
    if (certificates)
        judge_names(buf_slice(&names), certificates, errors);
    mem_free(certificates);
}

void certificates_judge(const struct config *config, struct conf_errors *errors) {
    const struct config_listener *listeners[6];
    open_listeners(config, listeners);
    for (unsigned i = 0; listeners[i]; i++)
        judge_listener(listeners[i], errors);
}

/* --- their time ------------------------------------------------------------------------------- */

static void warn(const struct config_listener *listener, const struct certificate *certificate) {
    _cleanup_buf_ struct buf names = buf_make(NAMES_BYTES_MAX);
    struct io_tls_facts facts = {0};
    if (io_tls_examine(&certificate->pair, NULL, &facts, &names, NULL))
        return; /* it was fine a moment ago: the listener will tell */
    if (facts.early || facts.expired)
        fprintf(stderr, "%.*s:%u:%u: warning: listener %.*s: the certificate %s %s %s\n",
                slice_fmt(certificate->place.file), certificate->place.line,
                certificate->place.column, slice_fmt(listener->item.name),
                certificate->pair.cert_file, facts.expired ? "expired on" : "is not valid before",
                facts.expired ? facts.until : facts.from);
}

void certificates_warn(const struct config *config) {
    const struct config_listener *listeners[6];
    open_listeners(config, listeners);
    for (unsigned i = 0; listeners[i]; i++) {
        unsigned count = certificate_count(&listeners[i]->tls);
        for (unsigned j = 0; j < count; j++) {
            struct certificate certificate = certificate_at(&listeners[i]->tls, j);
            warn(listeners[i], &certificate);
        }
    }
}
