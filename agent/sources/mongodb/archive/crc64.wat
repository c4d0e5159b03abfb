;; CRC-64/ECMA, reflected, eight bytes a step ("slicing by 8"). A step waits for the one before it, so 3 stripes of 2048
;; bytes are summed side by side, each by itself; the sum of one, advanced by the length of the next, adds up with it.
;; Memory, filled by the host: from 0 to 16384 eight tables of 256 i64 that advance a sum by eight bytes, from 16384 to
;; 32768 eight that advance it by a stripe. The data anywhere behind them.
(module
  (import "host" "memory" (memory 1))
  (func $word (param $word i64) (result i64)
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
  (func $stripe (param $word i64) (result i64)
    (i64.xor
      (i64.xor
        (i64.xor (i64.load offset=30720 (i32.shl (i32.and (i32.wrap_i64 (local.get $word)) (i32.const 255)) (i32.const 3)))
                 (i64.load offset=28672 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 8))) (i32.const 255)) (i32.const 3))))
        (i64.xor (i64.load offset=26624 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 16))) (i32.const 255)) (i32.const 3)))
                 (i64.load offset=24576 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 24))) (i32.const 255)) (i32.const 3)))))
      (i64.xor
        (i64.xor (i64.load offset=22528 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 32))) (i32.const 255)) (i32.const 3)))
                 (i64.load offset=20480 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 40))) (i32.const 255)) (i32.const 3))))
        (i64.xor (i64.load offset=18432 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 48))) (i32.const 255)) (i32.const 3)))
                 (i64.load offset=16384 (i32.shl (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 56))) (i32.const 3)))))))
  (func (export "crc64") (param $crc i64) (param $at i32) (param $length i32) (result i64)
    (local $end i32) (local $last i32) (local $b i64) (local $c i64) (local $wa i64) (local $wb i64) (local $wc i64)
    (local.set $last (i32.add (local.get $at) (local.get $length)))
    (block $stripes_done
      (loop $stripes
        (br_if $stripes_done (i32.lt_u (i32.sub (local.get $last) (local.get $at)) (i32.const 6144)))
        (local.set $end (i32.add (local.get $at) (i32.const 2048)))
        (local.set $b (i64.const 0))
        (local.set $c (i64.const 0))
        (loop $words
          (local.set $wa (i64.xor (local.get $crc) (i64.load (local.get $at))))
          (local.set $wb (i64.xor (local.get $b) (i64.load offset=2048 (local.get $at))))
          (local.set $wc (i64.xor (local.get $c) (i64.load offset=4096 (local.get $at))))
          (local.set $crc
            (i64.xor
              (i64.xor
                (i64.xor (i64.load offset=14336 (i32.shl (i32.and (i32.wrap_i64 (local.get $wa)) (i32.const 255)) (i32.const 3)))
                         (i64.load offset=12288 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $wa) (i64.const 8))) (i32.const 255)) (i32.const 3))))
                (i64.xor (i64.load offset=10240 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $wa) (i64.const 16))) (i32.const 255)) (i32.const 3)))
                         (i64.load offset=8192 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $wa) (i64.const 24))) (i32.const 255)) (i32.const 3)))))
              (i64.xor
                (i64.xor (i64.load offset=6144 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $wa) (i64.const 32))) (i32.const 255)) (i32.const 3)))
                         (i64.load offset=4096 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $wa) (i64.const 40))) (i32.const 255)) (i32.const 3))))
                (i64.xor (i64.load offset=2048 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $wa) (i64.const 48))) (i32.const 255)) (i32.const 3)))
                         (i64.load (i32.shl (i32.wrap_i64 (i64.shr_u (local.get $wa) (i64.const 56))) (i32.const 3)))))))
          (local.set $b
            (i64.xor
              (i64.xor
                (i64.xor (i64.load offset=14336 (i32.shl (i32.and (i32.wrap_i64 (local.get $wb)) (i32.const 255)) (i32.const 3)))
                         (i64.load offset=12288 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $wb) (i64.const 8))) (i32.const 255)) (i32.const 3))))
                (i64.xor (i64.load offset=10240 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $wb) (i64.const 16))) (i32.const 255)) (i32.const 3)))
                         (i64.load offset=8192 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $wb) (i64.const 24))) (i32.const 255)) (i32.const 3)))))
              (i64.xor
                (i64.xor (i64.load offset=6144 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $wb) (i64.const 32))) (i32.const 255)) (i32.const 3)))
                         (i64.load offset=4096 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $wb) (i64.const 40))) (i32.const 255)) (i32.const 3))))
                (i64.xor (i64.load offset=2048 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $wb) (i64.const 48))) (i32.const 255)) (i32.const 3)))
                         (i64.load (i32.shl (i32.wrap_i64 (i64.shr_u (local.get $wb) (i64.const 56))) (i32.const 3)))))))
          (local.set $c
            (i64.xor
              (i64.xor
                (i64.xor (i64.load offset=14336 (i32.shl (i32.and (i32.wrap_i64 (local.get $wc)) (i32.const 255)) (i32.const 3)))
                         (i64.load offset=12288 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $wc) (i64.const 8))) (i32.const 255)) (i32.const 3))))
                (i64.xor (i64.load offset=10240 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $wc) (i64.const 16))) (i32.const 255)) (i32.const 3)))
                         (i64.load offset=8192 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $wc) (i64.const 24))) (i32.const 255)) (i32.const 3)))))
              (i64.xor
                (i64.xor (i64.load offset=6144 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $wc) (i64.const 32))) (i32.const 255)) (i32.const 3)))
                         (i64.load offset=4096 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $wc) (i64.const 40))) (i32.const 255)) (i32.const 3))))
                (i64.xor (i64.load offset=2048 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $wc) (i64.const 48))) (i32.const 255)) (i32.const 3)))
                         (i64.load (i32.shl (i32.wrap_i64 (i64.shr_u (local.get $wc) (i64.const 56))) (i32.const 3)))))))
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (br_if $words (i32.lt_u (local.get $at) (local.get $end))))
        (local.set $crc (i64.xor (call $stripe (local.get $crc)) (local.get $b)))
        (local.set $crc (i64.xor (call $stripe (local.get $crc)) (local.get $c)))
        (local.set $at (i32.add (local.get $at) (i32.const 4096)))
        (br $stripes)))
    (local.set $end (i32.add (local.get $at) (i32.and (i32.sub (local.get $last) (local.get $at)) (i32.const -8))))
    (block $words_done
      (loop $words
        (br_if $words_done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $crc (call $word (i64.xor (local.get $crc) (i64.load (local.get $at)))))
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
    (local.get $crc)))
