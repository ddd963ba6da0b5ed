/*
 * snapshot.c - saves what an executor keeps, and loads it (exec.h, snapshot.h).
 */
#include "sql/exec/snapshot.h"

#define MAGIC 0x716c5371u
#define RECORD_BYTES_MAX ((size_t)2 << 30)
#define RECORDS_ASKED 64u                       /* saved between calls of go_on */
#define RECORD_BYTES_BESIDE ((uint64_t)1 << 20) /* of states that are not counted */

struct piece_head {
    uint32_t magic, version, number, nothing;
    uint64_t hash;
};
_Static_assert(sizeof(struct piece_head) == SNAPSHOT_PIECE_HEAD, "as it is written");

static uint64_t piece_hash(uint64_t before, uint32_t number, slice bytes) {
    return sql_hash_bytes(before + number, bytes);
}

void snapshot_seal(char *piece, size_t len, uint32_t number, uint64_t *hash) {
    slice bytes = slice_skip(slice_make(piece, len), SNAPSHOT_PIECE_HEAD);
    *hash = piece_hash(*hash, number, bytes);
    const struct piece_head head = {
        .magic = MAGIC, .version = SNAPSHOT_VERSION, .number = number, .hash = *hash};
    memcpy(piece, &head, sizeof head);
}

/* ---- pieces out --------------------------------------------------------------------------- */

static void piece_begin(struct sql_saving *s) {
    static const struct piece_head room = {.magic = MAGIC};
    buf_clear(&s->piece);
    s->failed = buf_append(&s->piece, slice_make(&room, sizeof room));
}

static void piece_end(struct sql_saving *s) {
    snapshot_seal(s->piece.ptr, s->piece.len, s->number++, &s->hash);
    s->failed = s->give(s->self, buf_slice(&s->piece), s->error);
}

static void piece_put(struct sql_saving *s, slice bytes) {
    while (s->failed == 0 && bytes.len) {
        slice part = slice_take(bytes, SQL_STATE_PIECE_BYTES - s->piece.len);
        s->failed = buf_append(&s->piece, part);
        bytes = slice_skip(bytes, part.len);
        if (s->failed == 0 && s->piece.len == SQL_STATE_PIECE_BYTES) {
            piece_end(s);
            if (s->failed == 0)
                piece_begin(s);
        }
    }
}

void saving_begin(struct sql_saving *s, unsigned tag) {
    buf_clear(&s->record);
    saving_count(s, tag);
}

void saving_count(struct sql_saving *s, uint64_t count) {
    if (s->failed == 0)
        s->failed = buf_reserve(&s->record, SQL_VARINT_BYTES_MAX);
    if (s->failed == 0)
        s->record.len += sql_varint_write(s->record.ptr + s->record.len, count);
}

void saving_number(struct sql_saving *s, int64_t number) {
    saving_count(s, ((uint64_t)number << 1) ^ (uint64_t)(number >> 63));
}

void saving_bytes(struct sql_saving *s, slice bytes) {
    saving_count(s, bytes.len);
    if (s->failed == 0 && bytes.len)
        s->failed = buf_append(&s->record, bytes);
}

int saving_end(struct sql_saving *s) {
    char length[SQL_VARINT_BYTES_MAX];
    piece_put(s, slice_make(length, sql_varint_write(length, s->record.len)));
    piece_put(s, buf_slice(&s->record));
    if (s->failed == 0 && ++s->records >= RECORDS_ASKED && s->options->go_on) {
        s->records = 0;
        s->failed = s->options->go_on(s->options->self, s->error);
    }
    return s->failed;
}

/* ---- saving ------------------------------------------------------------------------------- */

static bool can_save(const struct sql_operator *o) {
    if (o->kind->stateless)
        return true;
    return o->kind->save && (!o->kind->can_save || o->kind->can_save(o));
}

static int save_head(const struct sql_exec *x, struct sql_saving *s) {
    char fingerprint[SNAPSHOT_FINGERPRINT_BYTES];
    int r = snapshot_fingerprint(x, fingerprint);
    if (r)
        return r;
    saving_begin(s, SNAPSHOT_HEAD);
    saving_bytes(s, slice_make(fingerprint, sizeof fingerprint));
    saving_count(s, x->rows_in);
    saving_count(s, x->rows_out);
    saving_count(s, x->started);
    return saving_end(s);
}

static int save_operator(const struct sql_operator *o, struct sql_saving *s) {
    saving_begin(s, SNAPSHOT_OPERATOR);
    saving_number(s, o->watermark);
    int r = saving_end(s);
    return r || o->kind->stateless ? r : o->kind->save(o, s);
}

static int save_all(const struct sql_exec *x, struct sql_saving *s) {
    piece_begin(s);
    int r = s->failed ? s->failed : save_head(x, s);
    for (unsigned i = 0; r == 0 && i < x->operators; i++)
        r = save_operator(x->operator[i], s);
    if (r)
        return r;
    saving_begin(s, SNAPSHOT_END);
    saving_count(s, x->budget.used);
    saving_count(s, x->budget.rows);
    r = saving_end(s);
    if (r == 0)
        piece_end(s);
    return s->failed;
}

int sql_exec_save(struct sql_exec *x, sql_exec_piece *piece, void *self, struct sql_error *error) {
    check(!x->options.once && !x->within && !x->loading && !x->saving);
    if (x->failed) {
        *error = x->failure;
        return x->failed;
    }
    for (unsigned i = 0; i < x->operators; i++) {
        if (can_save(x->operator[i]))
            continue;
        (void)sql_fail(error, "0A000", "the state of this query cannot be saved");
        return -EOPNOTSUPP;
    }
    struct sql_saving s = {.record = buf_make(RECORD_BYTES_MAX),
                           .piece = buf_make_room(SQL_STATE_PIECE_BYTES, SQL_STATE_PIECE_BYTES),
                           .scratch = buf_make(RECORD_BYTES_MAX),
                           .hash = SNAPSHOT_HASH_START,
                           .give = piece,
                           .self = self,
                           .error = error,
                           .options = &x->options};
    *error = (struct sql_error){.state = ""};
    x->saving = true;
    int r = save_all(x, &s);
    x->saving = false;
    buf_free(&s.record);
    buf_free(&s.piece);
    buf_free(&s.scratch);
    /* What PIECE failed with is told already. */
    return r && !error->state[0] ? sql_fail_memory(error) : r;
}

/* ---- records in --------------------------------------------------------------------------- */

uint64_t loading_count(struct sql_loading *l) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && l->rest.len; shift += 7) {
        uint8_t byte = (uint8_t)*l->rest.ptr;
        l->rest = slice_skip(l->rest, 1);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    l->damaged = true;
    return 0;
}

int64_t loading_number(struct sql_loading *l) {
    uint64_t value = loading_count(l);
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

slice loading_bytes(struct sql_loading *l) {
    uint64_t len = loading_count(l);
    if (len > l->rest.len) {
        l->damaged = true;
        len = 0;
    }
    slice bytes = slice_take(l->rest, (size_t)len);
    l->rest = slice_skip(l->rest, bytes.len);
    return bytes;
}

unsigned loading_below(struct sql_loading *l, uint64_t limit) {
    uint64_t value = loading_count(l);
    if (value < limit)
        return (unsigned)value;
    l->damaged = true;
    return 0;
}

static int load_head(struct sql_exec *x, struct sql_loading *l) {
    char fingerprint[SNAPSHOT_FINGERPRINT_BYTES];
    int r = snapshot_fingerprint(x, fingerprint);
    if (r)
        return r;
    slice saved = loading_bytes(l);
    x->rows_in = loading_count(l);
    x->rows_out = loading_count(l);
    x->started = loading_below(l, 2);
    if (l->head || !loading_whole(l))
        return -EBADMSG;
    l->head = true;
    return slice_equal(saved, slice_make(fingerprint, sizeof fingerprint)) ? 0 : -ESTALE;
}

static int load_operator(struct sql_exec *x, struct sql_loading *l) {
    int64_t watermark = loading_number(l);
    if (!loading_whole(l) || l->operators == x->operators)
        return -EBADMSG;
    x->operator[l->operators++]->watermark = watermark;
    l->at = l->last[0] = l->last[1] = NULL;
    return 0;
}

static int load_end(struct sql_exec *x, struct sql_loading *l) {
    bool same = loading_count(l) == x->budget.used;
    same &= loading_count(l) == x->budget.rows;
    l->end = same && loading_whole(l) && l->operators == x->operators;
    return l->end ? 0 : -EBADMSG;
}

static int load_own(struct sql_exec *x, struct sql_loading *l) {
    struct sql_operator *o = l->operators ? x->operator[l->operators - 1] : NULL;
    if (!o || !o->kind->load)
        return -EBADMSG;
    int r = o->kind->load(o, l);
    return r == 0 && !loading_whole(l) ? -EBADMSG : r;
}

static int load_record(struct sql_exec *x, slice record) {
    struct sql_loading *l = x->loading;
    l->rest = record;
    l->damaged = false;
    l->tag = loading_below(l, UINT32_MAX);
    if (l->damaged || l->end || (l->tag == SNAPSHOT_HEAD) == l->head)
        return -EBADMSG;
    switch (l->tag) {
    case SNAPSHOT_HEAD:
        return load_head(x, l);
    case SNAPSHOT_OPERATOR:
        return load_operator(x, l);
    case SNAPSHOT_END:
        return load_end(x, l);
    default:
        return load_own(x, l);
    }
}

/* ---- pieces in ---------------------------------------------------------------------------- */

/* The length of the next record, a byte at a time: a piece may end within it. */
static int take_length(const struct sql_exec *x, slice *bytes) {
    struct sql_loading *l = x->loading;
    uint8_t byte = (uint8_t)*bytes->ptr;
    *bytes = slice_skip(*bytes, 1);
    l->length_read |= (uint64_t)(byte & 0x7f) << l->length_shift;
    l->length_shift += 7;
    if (byte >= 0x80)
        return l->length_shift > 56 ? -EBADMSG : 0;
    l->length = l->length_read;
    l->length_read = l->length_shift = 0;
    /* An honest record is of a state that fits; it is taken in as it comes, whatever it claims. */
    uint64_t most = x->options.memory_max;
    bool fits = l->length <= RECORD_BYTES_BESIDE || l->length - RECORD_BYTES_BESIDE <= most;
    return l->length && fits ? 0 : -EBADMSG;
}

/* Takes what is there of the record at hand; loads it where it is whole. */
static int take_record(struct sql_exec *x, slice *bytes) {
    struct sql_loading *l = x->loading;
    slice part = slice_take(*bytes, (size_t)l->length - l->record.len);
    *bytes = slice_skip(*bytes, part.len);
    bool whole = part.len == l->length;
    if (!whole) {
        int r = buf_append(&l->record, part);
        if (r || l->record.len < l->length)
            return r;
        part = buf_slice(&l->record);
    }
    int r = load_record(x, part);
    buf_clear(&l->record);
    l->length = 0;
    return r;
}

static int load_piece(struct sql_exec *x, slice piece) {
    struct sql_loading *l = x->loading;
    struct piece_head head;
    if (piece.len <= sizeof head || piece.len > SQL_STATE_PIECE_BYTES)
        return -EBADMSG;
    memcpy(&head, piece.ptr, sizeof head);
    if (head.magic == MAGIC && head.version != SNAPSHOT_VERSION)
        return -ESTALE;
    slice bytes = slice_skip(piece, sizeof head);
    l->hash = piece_hash(l->hash, l->number, bytes);
    if (head.magic != MAGIC || head.number != l->number++ || head.nothing || head.hash != l->hash)
        return -EBADMSG;
    int r = 0;
    while (r == 0 && bytes.len)
        r = l->length ? take_record(x, &bytes) : take_length(x, &bytes);
    bool begun = l->length || l->length_shift;
    return r == 0 && l->end && begun ? -EBADMSG : r;
}

static int load_fails(struct sql_exec *x, int failed, struct sql_error *error) {
    switch (failed) {
    case -ESTALE:
        (void)sql_fail(error, "55000", "the saved state is of another query or version");
        break;
    case -EBADMSG:
        (void)sql_fail(error, "XX001", "the saved state of a query is damaged");
        break;
    default:
        failed = operator_fail_state(x->root, error);
    }
    x->failed = failed;
    x->failure = *error;
    return failed;
}

int sql_exec_load(struct sql_exec *x, slice piece, struct sql_error *error) {
    check(!x->options.once && !x->within);
    if (x->failed) {
        *error = x->failure;
        return x->failed;
    }
    if (!x->loading) {
        check(!x->started);
        x->loading = mem_zalloc(1, sizeof *x->loading);
        if (!x->loading)
            return load_fails(x, -ENOMEM, error);
        x->loading->hash = SNAPSHOT_HASH_START;
        x->loading->record = buf_make(RECORD_BYTES_MAX);
    }
    int r = load_piece(x, piece);
    bool end = x->loading->end;
    if (r == 0 && !end)
        return 1;
    snapshot_loading_free(x);
    return r ? load_fails(x, r, error) : 0;
}

void snapshot_loading_free(struct sql_exec *x) {
    if (x->loading)
        buf_free(&x->loading->record);
    x->loading = mem_free(x->loading);
}
