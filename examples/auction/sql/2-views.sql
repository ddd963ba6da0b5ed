-- The ten auctions that are bid on most, kept up to date bid by bid.
CREATE MATERIALIZED VIEW hot_items AS
    SELECT auction, count(*) AS bids, max(price) AS highest
    FROM bid
    GROUP BY auction
    ORDER BY bids DESC, auction
    LIMIT 10;

-- The highest bid of each ten seconds.
CREATE MATERIALIZED VIEW highest_bids AS
    SELECT window_start, max(price) AS price, count(*) AS bids
    FROM tumble(bid, date_time, INTERVAL '10' SECOND)
    GROUP BY window_start;

-- What sellers got: their auctions with at least one bid, and the average of the highest ones.
CREATE MATERIALIZED VIEW seller_ratings AS
    SELECT w.seller, p.name, count(*) AS sold, round(avg(w.price), 2) AS average
    FROM (SELECT a.id, a.seller, max(b.price) AS price
          FROM auction a JOIN bid b ON b.auction = a.id
          GROUP BY a.id, a.seller) w
    JOIN person p ON p.id = w.seller
    GROUP BY w.seller, p.name;
