/*
 * nexmark.c - the generator (nexmark.h has the rules).
 *
 * Names of quantities are those of the Nexmark sources, so that the two can be read side by side.
 * An event draws from its own random stream in a fixed order; a new field must draw last, or the
 * events of a seed change.
 */
#include "rooms/etl/nexmark.h"

#include "base/clocktext.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/random.h"
#include "wire/json_write.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#define BASE_TIME_NS (1436918400ll * 1000000000ll)
#define TOTAL_PROPORTION 50u
#define PERSON_PROPORTION 1u
#define AUCTION_PROPORTION 3u
#define FIRST_PERSON_ID 1000u
#define FIRST_AUCTION_ID 1000u
#define FIRST_CATEGORY_ID 10u
#define CATEGORIES 5u
#define IN_FLIGHT_AUCTIONS 100u
#define ACTIVE_PEOPLE 1000u
#define ID_LEAD 10u
#define HOT_RATIO 100u
#define AUCTION_HORIZON_EVENTS (IN_FLIGHT_AUCTIONS * TOTAL_PROPORTION / AUCTION_PROPORTION)
#define PERSON_BYTES 200u
#define AUCTION_BYTES 500u
#define BID_BYTES 100u
#define TEXT_MAX 512u
#define CHANNELS 10000u

struct event {
    const struct etl_nexmark *config;
    uint64_t number;
    int64_t time_ns;
    struct random random;
};

static int64_t time_of(const struct etl_nexmark *config, uint64_t number) {
    double ns_per_event = (double)config->rate.period_ns / (double)config->rate.count;
    return BASE_TIME_NS + (int64_t)((double)number * ns_per_event);
}

static uint64_t below(struct event *e, uint64_t bound) {
    return random_below(&e->random, bound);
}

/* --- text --------------------------------------------------------------------------------- */

struct text {
    size_t len;
    char bytes[TEXT_MAX];
};

/* 3 to max - 1 letters, one in thirteen a blank. */
static void random_words(struct event *e, size_t max, struct text *text) {
    text->len = 3 + below(e, max - 3);
    for (size_t i = 0; i < text->len; i++)
        text->bytes[i] = below(e, 13) == 0 ? ' ' : (char)('a' + below(e, 26));
}

static void random_letters(struct event *e, size_t len, struct text *text) {
    text->len = len;
    for (size_t i = 0; i < len; i++)
        text->bytes[i] = (char)('a' + below(e, 26));
}

static slice text_slice(const struct text *text) {
    return slice_make(text->bytes, text->len);
}

/* Padding up to about DESIRED bytes, a fifth more or less; none where SIZE is there already. */
static void write_extra(struct event *e, struct json_writer *w, size_t size, size_t desired) {
    struct text text = {0};
    if (size < desired) {
        size_t missing = desired - size;
        size_t delta = (size_t)lround((double)missing * 0.2);
        size_t len = missing - delta + (delta ? below(e, 2 * delta + 1) : 0);
        random_letters(e, len < TEXT_MAX ? len : TEXT_MAX, &text);
    }
    json_write_key(w, "extra");
    json_write_string(w, text_slice(&text));
}

/* Always three digits of a second, so that texts compare as times do. */
static void write_time(struct json_writer *w, const char *key, int64_t unix_ns) {
    char text[CLOCKTEXT_SIZE];
    size_t len = clocktext_format(unix_ns - unix_ns % 1000000000, text) - 1; /* its 'Z' */
    unsigned milliseconds = (unsigned)(unix_ns / 1000000 % 1000);
    len += (size_t)snprintf(text + len, sizeof text - len, ".%03uZ", milliseconds);
    json_put_string(w, key, slice_make(text, len));
}

static uint64_t next_price(struct event *e) {
    return (uint64_t)lround(pow(10.0, random_double(&e->random) * 6.0) * 100.0);
}

/* --- ids ---------------------------------------------------------------------------------- */

static uint64_t last_person(uint64_t number) {
    return number / TOTAL_PROPORTION; /* one person an epoch, its first event */
}

/* Of the auctions there are up to event NUMBER; 0 before the first. */
static uint64_t last_auction(uint64_t number) {
    uint64_t epoch = number / TOTAL_PROPORTION, offset = number % TOTAL_PROPORTION;
    if (offset < PERSON_PROPORTION)
        return epoch ? (epoch - 1) * AUCTION_PROPORTION + AUCTION_PROPORTION - 1 : 0;
    if (offset >= PERSON_PROPORTION + AUCTION_PROPORTION)
        offset = PERSON_PROPORTION + AUCTION_PROPORTION - 1;
    return epoch * AUCTION_PROPORTION + offset - PERSON_PROPORTION;
}

static uint64_t next_person(struct event *e) {
    uint64_t people = last_person(e->number) + 1;
    uint64_t active = people < ACTIVE_PEOPLE ? people : ACTIVE_PEOPLE;
    return people - active + below(e, active + ID_LEAD);
}

static uint64_t next_auction(struct event *e) {
    uint64_t newest = last_auction(e->number);
    uint64_t oldest = newest > IN_FLIGHT_AUCTIONS ? newest - IN_FLIGHT_AUCTIONS : 0;
    return oldest + below(e, newest - oldest + 1 + ID_LEAD);
}

/* --- the three kinds ---------------------------------------------------------------------- */

static void write_person(struct event *e, struct json_writer *w) {
    static const char *const first_names[] = {"Peter", "Paul",  "Luke",  "John",   "Saul",  "Vicky",
                                              "Kate",  "Julie", "Sarah", "Deiter", "Walter"};
    static const char *const last_names[] = {"Shultz", "Abrams", "Spencer", "White", "Bartels",
                                             "Walton", "Smith",  "Jones",   "Noris"};
    static const char *const cities[] = {"Phoenix",  "Los Angeles", "San Francisco", "Boise",
                                         "Portland", "Bend",        "Redmond",       "Seattle",
                                         "Kent",     "Cheyenne"};
    static const char *const states[] = {"AZ", "CA", "ID", "OR", "WA", "WY"};
    struct text mailbox, domain;
    char name[64], email[128], card[32];
    snprintf(name, sizeof name, "%s %s", first_names[below(e, array_count(first_names))],
             last_names[below(e, array_count(last_names))]);
    random_letters(e, 3 + below(e, 4), &mailbox);
    random_letters(e, 3 + below(e, 2), &domain);
    snprintf(email, sizeof email, "%.*s@%.*s.com", slice_fmt(text_slice(&mailbox)),
             slice_fmt(text_slice(&domain)));
    snprintf(card, sizeof card, "%04u %04u %04u %04u", (unsigned)below(e, 10000),
             (unsigned)below(e, 10000), (unsigned)below(e, 10000), (unsigned)below(e, 10000));
    const char *city = cities[below(e, array_count(cities))];
    const char *state = states[below(e, array_count(states))];
    json_put_u64(w, "id", FIRST_PERSON_ID + last_person(e->number));
    json_put_string(w, "name", slice_str(name));
    json_put_string(w, "email_address", slice_str(email));
    json_put_string(w, "credit_card", slice_str(card));
    json_put_string(w, "city", slice_str(city));
    json_put_string(w, "state", slice_str(state));
    write_time(w, "date_time", e->time_ns);
    size_t size = 8 + strlen(name) + strlen(email) + strlen(card) + strlen(city) + strlen(state);
    write_extra(e, w, size, PERSON_BYTES);
}

static void write_auction(struct event *e, struct json_writer *w) {
    struct text item, description;
    uint64_t initial_bid = next_price(e);
    random_words(e, 20, &item);
    random_words(e, 100, &description);
    uint64_t seller = below(e, 4) ? last_person(e->number) / HOT_RATIO * HOT_RATIO : next_person(e);
    int64_t horizon_ns = time_of(e->config, e->number + AUCTION_HORIZON_EVENTS) - e->time_ns;
    uint64_t horizon_ms = (uint64_t)horizon_ns / 1000000 * 2;
    uint64_t length_ms = 1 + below(e, horizon_ms ? horizon_ms : 1);
    json_put_u64(w, "id", FIRST_AUCTION_ID + last_auction(e->number));
    json_put_string(w, "item_name", text_slice(&item));
    json_put_string(w, "description", text_slice(&description));
    json_put_u64(w, "initial_bid", initial_bid);
    json_put_u64(w, "reserve", initial_bid + next_price(e));
    write_time(w, "date_time", e->time_ns);
    write_time(w, "expires", e->time_ns + (int64_t)length_ms * 1000000);
    json_put_u64(w, "seller", FIRST_PERSON_ID + seller);
    json_put_u64(w, "category", FIRST_CATEGORY_ID + below(e, CATEGORIES));
    write_extra(e, w, 8 + item.len + description.len + 8 * 6, AUCTION_BYTES);
}

/* The path of a channel's page is always the same. */
static void write_url(struct json_writer *w, const struct event *e, uint64_t channel, bool cold) {
    struct event own = {.config = e->config, .random = random_make(hash_mix64(channel))};
    struct text a, b, c;
    random_letters(&own, 5, &a);
    random_letters(&own, 5, &b);
    random_letters(&own, 5, &c);
    char url[256];
    int len =
        snprintf(url, sizeof url, "https://www.nexmark.com/%.*s/%.*s/%.*s/item.htm?query=1",
                 slice_fmt(text_slice(&a)), slice_fmt(text_slice(&b)), slice_fmt(text_slice(&c)));
    if (cold && below(&own, 10) > 0) {
        uint32_t reversed = 0;
        for (unsigned bit = 0; bit < 32; bit++)
            reversed |= (uint32_t)((channel >> bit & 1) << (31 - bit));
        int32_t id = (int32_t)reversed;
        len += snprintf(url + len, sizeof url - (size_t)len, "&channel_id=%lld",
                        id < 0 ? -(long long)id : (long long)id);
    }
    json_put_string(w, "url", slice_make(url, (size_t)len));
}

static void write_bid(struct event *e, struct json_writer *w) {
    static const char *const hot_channels[] = {"Google", "Facebook", "Baidu", "Apple"};
    uint64_t auction =
        below(e, 2) ? last_auction(e->number) / HOT_RATIO * HOT_RATIO : next_auction(e);
    uint64_t bidder =
        below(e, 4) ? last_person(e->number) / HOT_RATIO * HOT_RATIO + 1 : next_person(e);
    bool cold = below(e, 2) == 0;
    uint64_t channel = cold ? below(e, CHANNELS) : below(e, array_count(hot_channels));
    char name[32];
    if (cold)
        snprintf(name, sizeof name, "channel-%u", (unsigned)channel);
    else
        snprintf(name, sizeof name, "%s", hot_channels[channel]);
    json_put_u64(w, "auction", FIRST_AUCTION_ID + auction);
    json_put_u64(w, "bidder", FIRST_PERSON_ID + bidder);
    json_put_u64(w, "price", next_price(e));
    json_put_string(w, "channel", slice_str(name));
    write_url(w, e, cold ? channel : CHANNELS + channel, cold);
    write_time(w, "date_time", e->time_ns);
    write_extra(e, w, 8 * 4, BID_BYTES);
}

int nexmark_event(const struct etl_nexmark *config, uint64_t number, struct buf *out,
                  enum nexmark_kind *ret_kind) {
    struct event e = {
        .config = config,
        .number = number,
        .time_ns = time_of(config, number),
        .random = random_make(hash_mix64((uint64_t)config->seed) ^ hash_mix64(number + 1)),
    };
    uint64_t offset = number % TOTAL_PROPORTION;
    enum nexmark_kind kind = offset < PERSON_PROPORTION                        ? NEXMARK_PERSON
                             : offset < PERSON_PROPORTION + AUCTION_PROPORTION ? NEXMARK_AUCTION
                                                                               : NEXMARK_BID;
    buf_clear(out);
    struct json_writer w = json_writer_make(out, false);
    json_write_object(&w);
    if (kind == NEXMARK_PERSON)
        write_person(&e, &w);
    else if (kind == NEXMARK_AUCTION)
        write_auction(&e, &w);
    else
        write_bid(&e, &w);
    json_write_end(&w);
    int failed = json_write_finish(&w);
    if (!failed)
        *ret_kind = kind;
    return failed;
}

/* --- the source --------------------------------------------------------------------------- */

static const char *const kinds[] = {"person", "auction", "bid", NULL};

struct generator {
    const struct etl_nexmark *config;
    uint64_t next, first; /* positions: to be given next, and where the pace was taken up */
    uint64_t started_ns;
    struct buf text;
};

static int open_generator(const void *config, uint64_t now_ns, void **ret_self,
                          struct error *ret_error) {
    struct generator *g = mem_zalloc(1, sizeof *g);
    if (!g)
        return error_set(ret_error, -ENOMEM, "no memory for the generator");
    g->config = config;
    g->started_ns = now_ns;
    g->text = buf_make(FLOW_RECORD_MAX);
    *ret_self = g;
    return 0;
}

/* A seek back or ahead keeps the pace: what is due is counted from the start. */
static void seek_generator(void *self, uint64_t position, uint64_t now_ns) {
    struct generator *g = self;
    if (position < g->first || g->next == 0) {
        g->first = position;
        g->started_ns = now_ns;
    }
    g->next = position;
}

static uint64_t due_ns(const struct generator *g) {
    double ns_per_event = (double)g->config->rate.period_ns / (double)g->config->rate.count;
    return g->started_ns + (uint64_t)((double)(g->next - g->first) * ns_per_event);
}

/* The number of the event at a position: shuffled within groups. */
static uint64_t number_at(const struct etl_nexmark *config, uint64_t position) {
    uint64_t group = (uint64_t)config->out_of_order;
    uint64_t base = position / group * group;
    return base + (position - base) * 953 % group;
}

static int next_record(void *self, uint64_t now_ns, struct flow_record *ret_record,
                       uint64_t *ret_wait_ns) {
    struct generator *g = self;
    if (g->config->limit && g->next >= (uint64_t)g->config->limit)
        return -ENODATA;
    uint64_t due = due_ns(g);
    if (due > now_ns) {
        *ret_wait_ns = due - now_ns;
        return -EAGAIN;
    }
    enum nexmark_kind kind;
    int failed = nexmark_event(g->config, number_at(g->config, g->next), &g->text, &kind);
    if (failed)
        return failed;
    *ret_record = (struct flow_record){
        .kind = slice_str(kinds[kind]), .data = buf_slice(&g->text), .position = g->next++};
    return 0;
}

static void close_generator(void *self) {
    struct generator *g = self;
    buf_free(&g->text);
    mem_free(g);
}

const struct flow_source nexmark_source = {
    .name = "nexmark",
    .kinds = kinds,
    .open = open_generator,
    .next = next_record,
    .seek = seek_generator,
    .close = close_generator,
};
