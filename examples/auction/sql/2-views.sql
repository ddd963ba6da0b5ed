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

-- What sellers got: their auctions with at least one bid, and the average of the highest ones. The
-- highest bid of each auction comes first, so that one row an auction is kept, not each bid.
CREATE MATERIALIZED VIEW seller_ratings AS
    SELECT a.seller, p.name, count(*) AS sold, round(avg(h.price), 2) AS average
    FROM (SELECT auction, max(price) AS price FROM bid GROUP BY auction) h
    JOIN auction a ON a.id = h.auction
    JOIN person p ON p.id = a.seller
    GROUP BY a.seller, p.name;
