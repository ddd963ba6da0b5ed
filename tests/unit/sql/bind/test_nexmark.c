/*
 * test_nexmark.c - the Nexmark queries: what their plans read, keep and join by. Scans read the
 * columns the query names, ranks are TOP nodes, what is used twice is there once.
 */
#include "harness.h"

static const struct {
    const char *sql, *expected;
} cases[] = {
    {"SELECT auction, bidder, price, date_time, extra FROM bid",
     "Scan bid (auction, bidder, price, date_time, extra)\n"},
    {"SELECT auction, bidder, 0.908 * price AS price, date_time, extra FROM "
     "bid",
     "Project auction, bidder, (0.908 * price::numeric), date_time, extra\n"
     "  Scan bid (auction, bidder, price, date_time, extra)\n"},
    {"SELECT auction, price FROM bid WHERE mod(auction,123) = 0",
     "Filter (mod(auction, '123'::bigint) = 0)\n"
     "  Scan bid (auction, price)\n"},
    {"SELECT p.name,p.city,p.state,a.id FROM auction a JOIN person p ON "
     "a.seller=p.id WHERE a.category=10 AND p.state IN ('OR','ID','CA')",
     "Project name, city, state, id\n"
     "  Join inner on seller = id  [state: the rows of both inputs]\n"
     "    Filter (category = 10)\n"
     "      Scan auction (id, seller, category)\n"
     "    Filter (state = ANY ('OR'::character varying, 'ID'::character "
     "varying, 'CA'::character varying))\n"
     "      Scan person (id, name, city, state)\n"},
    {"SELECT category, avg(final) FROM (SELECT max(b.price) AS final, "
     "a.category FROM auction a JOIN bid b ON a.id=b.auction AND b.date_time "
     "BETWEEN a.date_time AND a.expires GROUP BY a.id,a.category) q GROUP BY "
     "category",
     "Aggregate avg(final) by category  [state: one entry per group]\n"
     "  Project max, category\n"
     "    Aggregate max(price) by id, category  [state: one entry per group]\n"
     "      Join inner on id = auction where ((date_time >= date_time) AND "
     "(date_time <= expires))  [state: the rows of both inputs]\n"
     "        Scan auction (id, date_time, expires, category)\n"
     "        Scan bid (auction, price, date_time)\n"},
    {"WITH c AS (SELECT auction, window_start, count(*) AS num FROM hop(bid, "
     "date_time, INTERVAL '2' SECOND, INTERVAL '10' SECOND) GROUP BY 1,2), m "
     "AS (SELECT window_start, max(num) AS maxn FROM c GROUP BY 1) SELECT "
     "c.auction,c.num FROM c JOIN m ON c.window_start=m.window_start AND "
     "c.num>=m.maxn",
     "Project auction, count\n"
     "  Join inner on window_start = window_start where (count >= max)  "
     "[state: the rows of both inputs]\n"
     "    Aggregate count() by auction, window_start  [state: one entry per "
     "group]\n"
     "      Hop of 10000000 us each 2000000 us by date_time\n"
     "        Scan bid (auction, date_time)\n"
     "    Aggregate max(count) by window_start  [state: one entry per group]\n"
     "      (the node of number 2 again)\n"},
    {"SELECT seller, avg(final) OVER (PARTITION BY seller ORDER BY date_time "
     "ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) FROM (SELECT a.seller, "
     "b.price AS final, b.date_time, row_number() OVER (PARTITION BY "
     "a.id,a.seller ORDER BY b.price DESC) rn FROM auction a JOIN bid b ON "
     "a.id=b.auction AND b.date_time BETWEEN a.date_time AND a.expires) q "
     "WHERE rn<=1",
     "Project seller, window\n"
     "  Window avg(final) per seller in order of date_time  [state: the "
     "input's rows]\n"
     "    Project seller, price, date_time\n"
     "      Top by row_number, limit '1'::bigint per id, seller in order of "
     "price DESC  [state: the rows shown]\n"
     "        Join inner on id = auction where ((date_time >= date_time) AND "
     "(date_time <= expires))  [state: the rows of both inputs]\n"
     "          Scan auction (id, date_time, expires, seller)\n"
     "          Scan bid (auction, price, date_time)\n"},
    {"SELECT b.* FROM bid b JOIN (SELECT max(price) AS maxprice, window_end "
     "FROM tumble(bid,date_time,INTERVAL '10' SECOND) GROUP BY window_end) m "
     "ON b.price=m.maxprice WHERE b.date_time BETWEEN m.window_end - INTERVAL "
     "'10' SECOND AND m.window_end",
     "Project auction, bidder, price, channel, url, date_time, extra\n"
     "  Join inner on price = maxprice where ((date_time >= (window_end - "
     "'00:00:10'::interval)) AND (date_time <= window_end))  [state: the rows "
     "of both inputs]\n"
     "    Scan bid (auction, bidder, price, channel, url, date_time, extra)\n"
     "    Project max, window_end\n"
     "      Aggregate max(price) by window_end  [state: one entry per group]\n"
     "        Tumble of 10000000 us by date_time\n"
     "          (the node of number 0 again)\n"},
    {"SELECT p.id, p.name, p.window_start FROM (SELECT id, name, "
     "window_start, window_end FROM tumble(person, date_time, INTERVAL '10' "
     "SECOND) GROUP BY 1,2,3,4) p JOIN (SELECT seller, window_start, "
     "window_end FROM tumble(auction, date_time, INTERVAL '10' SECOND) GROUP "
     "BY 1,2,3) a ON p.id = a.seller AND p.window_start = a.window_start AND "
     "p.window_end = a.window_end",
     "Project id, name, window_start\n"
     "  Join inner on id = seller and window_start = window_start and "
     "window_end = window_end  [state: the rows of both inputs]\n"
     "    Aggregate by id, name, window_start, window_end  [state: one entry "
     "per group]\n"
     "      Tumble of 10000000 us by date_time\n"
     "        Scan person (id, name, date_time)\n"
     "    Aggregate by seller, window_start, window_end  [state: one entry "
     "per group]\n"
     "      Tumble of 10000000 us by date_time\n"
     "        Scan auction (date_time, seller)\n"},
    {"SELECT * FROM (SELECT a.*, b.auction,b.bidder,b.price,b.date_time AS "
     "bid_date_time,b.extra AS bid_extra, row_number() OVER (PARTITION BY "
     "a.id ORDER BY b.price DESC, b.date_time) rn FROM auction a JOIN bid b "
     "ON a.id=b.auction AND b.date_time BETWEEN a.date_time AND a.expires) t "
     "WHERE rn<=1",
     "Window row_number() per id in order of price DESC, date_time  [state: "
     "the input's rows]\n"
     "  Top by row_number, limit '1'::bigint per id in order of price DESC, "
     "date_time  [state: the rows shown]\n"
     "    Join inner on id = auction where ((date_time >= date_time) AND "
     "(date_time <= expires))  [state: the rows of both inputs]\n"
     "      Scan auction (id, item_name, description, initial_bid, reserve, "
     "date_time, expires, seller, category, extra)\n"
     "      Scan bid (auction, bidder, price, date_time, extra)\n"},
    {"SELECT auction, bidder, price, to_char(date_time,'YYYY-MM-DD'), "
     "to_char(date_time,'HH24:MI') FROM bid",
     "Project auction, bidder, price, to_char(date_time, 'YYYY-MM-DD'::text), "
     "to_char(date_time, 'HH24:MI'::text)\n"
     "  Scan bid (auction, bidder, price, date_time)\n"},
    {"SELECT bidder, count(*), window_start, window_end FROM session(bid, "
     "date_time, bidder, INTERVAL '10' SECOND) GROUP BY 1,3,4",
     "Project bidder, count, window_start, window_end\n"
     "  Aggregate count() by bidder, window_start, window_end  [state: one "
     "entry per group]\n"
     "    Session of gap 10000000 us by date_time per bidder  [state: the "
     "input's rows]\n"
     "      Scan bid (bidder, date_time)\n"},
    {"SELECT b.auction,b.bidder,b.price,b.date_time,s.x FROM bid b JOIN "
     "as_of_now(u) s ON mod(b.auction,10000)=s.a",
     "Project auction, bidder, price, date_time, x\n"
     "  Join inner on mod(auction, '10000'::bigint) = a::bigint  [state: the "
     "rows of both inputs]\n"
     "    Scan bid (auction, bidder, price, date_time)\n"
     "    Scan u (a, x) as of now\n"},
    {"SELECT auction, bidder, 0.908 * price AS price, CASE WHEN extract(hour "
     "from date_time) >= 8 AND extract(hour from date_time) <= 18 THEN "
     "'dayTime' WHEN extract(hour from date_time) <= 6 OR extract(hour from "
     "date_time) >= 20 THEN 'nightTime' ELSE 'otherTime' END AS bidTimeType, "
     "date_time, extra FROM bid WHERE 0.908 * price > 1000000 AND 0.908 * "
     "price < 50000000",
     "Project auction, bidder, (0.908 * price::numeric), CASE WHEN "
     "((extract('hour'::text, date_time) >= 8) AND (extract('hour'::text, "
     "date_time) <= 18)) THEN 'dayTime'::text WHEN ((extract('hour'::text, "
     "date_time) <= 6) OR (extract('hour'::text, date_time) >= 20)) THEN "
     "'nightTime'::text ELSE 'otherTime'::text END, date_time, extra\n"
     "  Filter (((0.908 * price::numeric) > 1000000) AND ((0.908 * "
     "price::numeric) < 50000000))\n"
     "    Scan bid (auction, bidder, price, date_time, extra)\n"},
    {"SELECT to_char(date_time,'YYYY-MM-DD') d, count(*), count(*) FILTER "
     "(WHERE price < 10000), count(DISTINCT bidder), count(DISTINCT bidder) "
     "FILTER (WHERE price < 10000) FROM bid GROUP BY 1",
     "Aggregate count(), count() FILTER (price < 10000), count(DISTINCT "
     "bidder), count(DISTINCT bidder) FILTER (price < 10000) by "
     "to_char(date_time, 'YYYY-MM-DD'::text)  [state: one entry per group]\n"
     "  Scan bid (bidder, price, date_time)\n"},
    {"SELECT channel, to_char(date_time,'YYYY-MM-DD') AS day, "
     "max(to_char(date_time,'HH24:MI')), count(*) FROM bid GROUP BY channel, "
     "to_char(date_time,'YYYY-MM-DD')",
     "Aggregate max(to_char(date_time, 'HH24:MI'::text)), count() by channel, "
     "to_char(date_time, 'YYYY-MM-DD'::text)  [state: one entry per group]\n"
     "  Scan bid (channel, date_time)\n"},
    {"SELECT auction, to_char(date_time,'YYYY-MM-DD') AS day, count(*), "
     "min(price), max(price), avg(price), sum(price) FROM bid GROUP BY 1, 2",
     "Aggregate count(), min(price), max(price), avg(price), sum(price) by "
     "auction, to_char(date_time, 'YYYY-MM-DD'::text)  [state: one entry per "
     "group]\n"
     "  Scan bid (auction, price, date_time)\n"},
    {"SELECT auction,bidder,price,channel,url,date_time,extra FROM (SELECT *, "
     "row_number() OVER (PARTITION BY bidder, auction ORDER BY date_time "
     "DESC, extra) rn FROM bid) t WHERE rn <= 1",
     "Top by row_number, limit '1'::bigint per bidder, auction in order of "
     "date_time DESC, extra  [state: the rows shown]\n"
     "  Scan bid (auction, bidder, price, channel, url, date_time, extra)\n"},
    {"SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY auction ORDER "
     "BY price DESC) rn FROM bid) t WHERE rn <= 10",
     "Window row_number() per auction in order of price DESC  [state: the "
     "input's rows]\n"
     "  Top by row_number, limit '10'::bigint per auction in order of price "
     "DESC  [state: the rows shown]\n"
     "    Scan bid (auction, bidder, price, channel, url, date_time, extra)\n"},
    {"SELECT * FROM bid b JOIN auction a ON b.auction=a.id WHERE a.category=10",
     "Join inner on auction = id  [state: the rows of both inputs]\n"
     "  Scan bid (auction, bidder, price, channel, url, date_time, extra)\n"
     "  Filter (category = 10)\n"
     "    Scan auction (id, item_name, description, initial_bid, reserve, "
     "date_time, expires, seller, category, extra)\n"},
    {"SELECT auction, bidder, price, channel, CASE lower(channel) WHEN "
     "'apple' THEN '0' WHEN 'google' THEN '1' ELSE "
     "(regexp_match(url,'(&|^)channel_id=([^&]*)'))[2] END AS channel_id FROM "
     "bid WHERE CASE lower(channel) WHEN 'apple' THEN '0' WHEN 'google' THEN "
     "'1' ELSE (regexp_match(url,'(&|^)channel_id=([^&]*)'))[2] END IS NOT "
     "NULL",
     "Project auction, bidder, price, channel, CASE WHEN "
     "(lower(channel::text) = 'apple'::text) THEN '0'::text WHEN "
     "(lower(channel::text) = 'google'::text) THEN '1'::text ELSE "
     "array_subscript(regexp_match(url::text, "
     "'(&|^)channel_id=([^&]*)'::text), 2) END\n"
     "  Filter (NOT (CASE WHEN (lower(channel::text) = 'apple'::text) THEN "
     "'0'::text WHEN (lower(channel::text) = 'google'::text) THEN '1'::text "
     "ELSE array_subscript(regexp_match(url::text, "
     "'(&|^)channel_id=([^&]*)'::text), 2) END IS NULL))\n"
     "    Scan bid (auction, bidder, price, channel, url)\n"},
    {"SELECT auction, bidder, price, channel, split_part(url,'/',4) AS dir1, "
     "split_part(url,'/',5) AS dir2 FROM bid",
     "Project auction, bidder, price, channel, split_part(url::text, "
     "'/'::text, 4), split_part(url::text, '/'::text, 5)\n"
     "  Scan bid (auction, bidder, price, channel, url)\n"},
};

static void each_statement_gives_its_plan_or_error(void **state) {
    (void)state;
    for (unsigned i = 0; i < array_count(cases); i++) {
        char out[16384];
        explain(cases[i].sql, out, sizeof out);
        if (strcmp(out, cases[i].expected) != 0)
            fail_msg("%s\nexpected:\n%s\nfound:\n%s", cases[i].sql, cases[i].expected, out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_statement_gives_its_plan_or_error),
    };
    return cmocka_run_group_tests_name("sql/bind/nexmark", tests, open_database, close_database);
}
