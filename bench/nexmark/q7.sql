-- q7, highest bid of each window.
SELECT b.auction, b.price, b.bidder, b.date_time, b.extra
FROM bid b JOIN (SELECT max(price) AS maxprice, window_end
                 FROM tumble(bid, date_time, INTERVAL '10' SECOND)
                 GROUP BY window_end) m ON b.price = m.maxprice
WHERE b.date_time BETWEEN m.window_end - INTERVAL '10' SECOND AND m.window_end
