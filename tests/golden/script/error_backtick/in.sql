SELECT `a`, `b;
