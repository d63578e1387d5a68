SELECT "a;b", `c;d`, [e;f] FROM "t;""u";
SELECT 2;
