-- q9, winning bids.
SELECT id, item_name, seller, category, auction, bidder, price, bid_date_time
FROM (SELECT a.*, b.auction, b.bidder, b.price, b.date_time AS bid_date_time,
             b.extra AS bid_extra,
             row_number() OVER (PARTITION BY a.id
                                ORDER BY b.price DESC, b.date_time, b.extra) AS rn
      FROM auction a JOIN bid b
        ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires) t
WHERE rn <= 1
