;; CRC-64/ECMA, reflected. Long runs are first made short without a table, then summed eight bytes a step ("slicing by 8").
;; Made short: 1 + x^840 + x^1056 + x^2528 + x^8144 + x^9304 + x^10176 + x^11984 is a multiple of the polynomial, so a byte
;; may be taken away where it stands when it is added 226, 335, 480, 1182, 1366, 1393 and 1498 bytes further on. What is left
;; of a run are its last bytes. (The idea: S. Russell, "Chorba: A novel CRC32 implementation", arXiv:2412.16398.)
;; Memory, from 0 to 16384 filled by the host: eight tables of 256 i64 that advance a sum by eight bytes. From 16384, for
;; this code: 1504 bytes taken away last, the 8192 that are taken away now, from 26080 the 1504 that are left. The data
;; anywhere behind them.
(module
  (import "host" "memory" (memory 1))
  (func $words (param $crc i64) (param $at i32) (param $length i32) (result i64)
    (local $last i32) (local $end i32) (local $word i64)
    (local.set $last (i32.add (local.get $at) (local.get $length)))
    (local.set $end (i32.add (local.get $at) (i32.and (local.get $length) (i32.const -8))))
    (block $words_done
      (loop $words
        (br_if $words_done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $word (i64.xor (local.get $crc) (i64.load (local.get $at))))
        (local.set $crc
          (i64.xor
            (i64.xor
              (i64.xor (i64.load offset=14336 (i32.shl (i32.and (i32.wrap_i64 (local.get $word)) (i32.const 255)) (i32.const 3)))
                       (i64.load offset=12288 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 8))) (i32.const 255)) (i32.const 3))))
              (i64.xor (i64.load offset=10240 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 16))) (i32.const 255)) (i32.const 3)))
                       (i64.load offset=8192 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 24))) (i32.const 255)) (i32.const 3)))))
            (i64.xor
              (i64.xor (i64.load offset=6144 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 32))) (i32.const 255)) (i32.const 3)))
                       (i64.load offset=4096 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 40))) (i32.const 255)) (i32.const 3))))
              (i64.xor (i64.load offset=2048 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 48))) (i32.const 255)) (i32.const 3)))
                       (i64.load (i32.shl (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 56))) (i32.const 3)))))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br $words)))
    (block $bytes_done
      (loop $bytes
        (br_if $bytes_done (i32.ge_u (local.get $at) (local.get $last)))
        (local.set $crc
          (i64.xor
            (i64.load (i32.shl (i32.and (i32.xor (i32.wrap_i64 (local.get $crc)) (i32.load8_u (local.get $at))) (i32.const 255)) (i32.const 3)))
            (i64.shr_u (local.get $crc) (i64.const 8))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $bytes)))
    (local.get $crc))

  (func (export "crc64") (param $crc i64) (param $at i32) (param $length i32) (result i64)
    (local $left i32) (local $p i32) (local $end i32)
    (if (i32.lt_u (local.get $length) (i32.const 4096))
      (then (return (call $words (local.get $crc) (local.get $at) (local.get $length)))))
    ;; bytes to take away, in steps of 64
    (local.set $left (i32.and (i32.sub (local.get $length) (i32.const 1504)) (i32.const -64)))
    (local.set $length (i32.sub (local.get $length) (local.get $left)))
    ;; nothing was taken away before; the sum so far is added to the first bytes, as if it had been, 1498 before them
    (memory.fill (i32.const 16384) (i32.const 0) (i32.const 1504))
    (i64.store (i32.const 16390) (local.get $crc))
    (loop $block
      (local.set $end (i32.const 8192))
      (if (i32.lt_u (local.get $left) (local.get $end)) (then (local.set $end (local.get $left))))
      (local.set $left (i32.sub (local.get $left) (local.get $end)))
      (local.set $p (i32.const 0))
      (loop $step
        (v128.store offset=17888 (local.get $p)
          (v128.xor
            (v128.xor (v128.xor (v128.load (local.get $at)) (v128.load offset=16390 (local.get $p)))
                      (v128.xor (v128.load offset=16495 (local.get $p)) (v128.load offset=16522 (local.get $p))))
            (v128.xor (v128.xor (v128.load offset=16706 (local.get $p)) (v128.load offset=17408 (local.get $p)))
                      (v128.xor (v128.load offset=17553 (local.get $p)) (v128.load offset=17662 (local.get $p))))))
        (v128.store offset=17904 (local.get $p)
          (v128.xor
            (v128.xor (v128.xor (v128.load offset=16 (local.get $at)) (v128.load offset=16406 (local.get $p)))
                      (v128.xor (v128.load offset=16511 (local.get $p)) (v128.load offset=16538 (local.get $p))))
            (v128.xor (v128.xor (v128.load offset=16722 (local.get $p)) (v128.load offset=17424 (local.get $p)))
                      (v128.xor (v128.load offset=17569 (local.get $p)) (v128.load offset=17678 (local.get $p))))))
        (v128.store offset=17920 (local.get $p)
          (v128.xor
            (v128.xor (v128.xor (v128.load offset=32 (local.get $at)) (v128.load offset=16422 (local.get $p)))
                      (v128.xor (v128.load offset=16527 (local.get $p)) (v128.load offset=16554 (local.get $p))))
            (v128.xor (v128.xor (v128.load offset=16738 (local.get $p)) (v128.load offset=17440 (local.get $p)))
                      (v128.xor (v128.load offset=17585 (local.get $p)) (v128.load offset=17694 (local.get $p))))))
        (v128.store offset=17936 (local.get $p)
          (v128.xor
            (v128.xor (v128.xor (v128.load offset=48 (local.get $at)) (v128.load offset=16438 (local.get $p)))
                      (v128.xor (v128.load offset=16543 (local.get $p)) (v128.load offset=16570 (local.get $p))))
            (v128.xor (v128.xor (v128.load offset=16754 (local.get $p)) (v128.load offset=17456 (local.get $p)))
                      (v128.xor (v128.load offset=17601 (local.get $p)) (v128.load offset=17710 (local.get $p))))))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (local.set $p (i32.add (local.get $p) (i32.const 64)))
        (br_if $step (i32.lt_u (local.get $p) (local.get $end))))
      (memory.copy (i32.const 16384) (i32.add (local.get $end) (i32.const 16384)) (i32.const 1504))
      (br_if $block (local.get $left)))
    ;; what is left gets what was taken away before, and of it nothing is taken away
    (memory.fill (i32.const 17888) (i32.const 0) (i32.const 1504))
    (local.set $p (i32.const 0))
    (loop $rest
      (v128.store offset=26080 (local.get $p)
        (v128.xor
          (v128.xor (v128.xor (v128.load (local.get $at)) (v128.load offset=16390 (local.get $p)))
                    (v128.xor (v128.load offset=16495 (local.get $p)) (v128.load offset=16522 (local.get $p))))
          (v128.xor (v128.xor (v128.load offset=16706 (local.get $p)) (v128.load offset=17408 (local.get $p)))
                    (v128.xor (v128.load offset=17553 (local.get $p)) (v128.load offset=17662 (local.get $p))))))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (local.set $p (i32.add (local.get $p) (i32.const 16)))
      (br_if $rest (i32.lt_u (local.get $p) (i32.const 1504))))
    (call $words
      (call $words (i64.const 0) (i32.const 26080) (i32.const 1504))
      (local.get $at)
      (i32.sub (local.get $length) (i32.const 1504)))))
