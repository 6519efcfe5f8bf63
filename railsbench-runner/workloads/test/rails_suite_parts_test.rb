# frozen_string_literal: true

# Tests of the Rails suite's parts, without Rails.
#
#   ruby railsbench-runner/workloads/test/rails_suite_parts_test.rb
#
# Needs what the suite needs (on Debian: ruby ruby-rails ruby-sqlite3 puma) and minitest.

require "json"
require "minitest/autorun"
require "timeout"
require "tmpdir"

SUITE = File.expand_path("../rails", __dir__)

require "#{SUITE}/lib/railsbench/benchmark"
require "#{SUITE}/lib/railsbench/closed_loop"
require "#{SUITE}/lib/railsbench/driver"
require "#{SUITE}/lib/railsbench/progress"
require "#{SUITE}/lib/railsbench/results"
require "#{SUITE}/lib/railsbench/sampler"
require "#{SUITE}/lib/railsbench/specification"
require "#{SUITE}/lib/railsbench/statistics"

class StatisticsTest < Minitest::Test
  def test_quantiles_lie_between_the_nearest_ranks
    values = [4.0, 1.0, 3.0, 2.0]
    { 0.0 => 1.0, 0.25 => 1.75, 0.5 => 2.5, 0.75 => 3.25, 1.0 => 4.0 }.each do |share, expected|
      assert_in_delta expected, Railsbench::Statistics.quantile(values, share)
    end
    assert_in_delta 7.0, Railsbench::Statistics.quantile([7.0], 0.99)
  end

  def test_spread_is_relative_to_the_median
    assert_in_delta 0.4, Railsbench::Statistics.spread([1.0, 2.0, 3.0, 4.0, 1.5, 2.5, 2.5])
  end

  def test_no_values_have_no_quantile
    assert_raises(ArgumentError) { Railsbench::Statistics.quantile([], 0.5) }
  end
end

class SamplerTest < Minitest::Test
  # A clock on which time passes only in the block that is sampled.
  class ManualClock
    attr_accessor :now

    def initialize
      @now = 100.0
    end
  end

  def sample(seconds_each:, iterations: 1, warmup: 1.0, measured: 2.0, at_least: 3)
    clock = ManualClock.new
    timing = Railsbench::Specification::Timing.new(
      warmup_seconds: warmup, measured_seconds: measured, samples: at_least, process_samples: 2
    )
    events = []
    samples = Railsbench::Sampler.new(timing, iterations: iterations, clock: clock).sample(
      before_measuring: -> { events << :measuring }
    ) do
      events << :sample
      clock.now += seconds_each
    end
    [samples, events]
  end

  def test_warms_up_and_then_measures_for_the_time_asked
    samples, events = sample(seconds_each: 0.25)
    assert_equal [0.25] * 4, samples.warmup
    assert_equal [0.25] * 8, samples.bench
    assert_equal 4, events.index(:measuring)
  end

  def test_slow_samples_are_taken_in_the_least_number
    samples, = sample(seconds_each: 60.0)
    assert_equal [60.0], samples.warmup
    assert_equal [60.0] * 3, samples.bench
  end

  def test_times_are_per_iteration
    samples, = sample(seconds_each: 0.5, iterations: 20)
    assert_equal [0.025] * 4, samples.bench
  end
end

class SpecificationTest < Minitest::Test
  def specification(**fields)
    Railsbench::Specification.new(JSON.parse(JSON.generate(fields)))
  end

  def test_nothing_named_means_all_in_full
    specification = specification()
    assert_equal Railsbench::Specification.available, specification.benchmarks
    refute specification.quick?
    assert_in_delta 10.0, specification.timing.measured_seconds
    assert_in_delta 5.0, specification.timing.warmup_seconds
    assert_operator specification.vcpus, :>=, 1
  end

  def test_named_benchmarks_run_in_the_suites_order
    chosen = specification(benchmarks: %w[boot rails_write]).benchmarks
    assert_equal %w[rails_write boot], chosen
  end

  def test_min_seconds_sets_the_measured_time_and_the_warm_up
    [true, false].each do |quick|
      timing = specification(min_seconds: 4, quick: quick).timing
      assert_in_delta 4.0, timing.measured_seconds
      assert_in_delta 2.0, timing.warmup_seconds
    end
  end

  def test_a_full_run_takes_more_samples_than_a_quick_one
    full = specification.timing
    quick = specification(quick: true).timing
    assert_operator full.samples, :>=, 10
    assert_operator full.process_samples, :>=, 5
    assert_operator quick.samples, :>=, 3
    assert_operator quick.process_samples, :>=, 2
    assert_operator full.measured_seconds, :>, quick.measured_seconds
  end

  def test_what_is_wrong_is_refused_by_name
    {
      { benchmarks: %w[boot rails_raed] } => /no benchmark rails_raed; there are rails_request/,
      { benchmarks: "boot" } => /benchmarks is "boot"/,
      { min_seconds: 0 } => /min_seconds is 0/,
      { min_seconds: "5" } => /min_seconds is "5"/,
      { vcpus: 0 } => /vcpus is 0/,
      { vcpus: 1.5 } => /vcpus is 1.5/
    }.each do |fields, message|
      failure = assert_raises(Railsbench::Failure, fields.inspect) { specification(**fields) }
      assert_match message, failure.message
      assert_equal 64, failure.exit_code
    end
  end

  def test_another_ruby_than_the_one_asked_for_is_refused
    minor = RUBY_VERSION[/\A\d+\.\d+/]
    ["system", nil, RUBY_VERSION, "ruby-#{RUBY_VERSION}", minor].each do |version|
      specification(ruby_version: version)
    end
    failure = assert_raises(Railsbench::Failure) { specification(ruby_version: "2.0.0") }
    assert_match(/Ruby 2.0.0 is asked for.*#{Regexp.escape(RUBY_VERSION)}/, failure.message)
    assert_equal 69, failure.exit_code
  end

  def test_every_benchmark_has_its_file
    files = Dir.children("#{SUITE}/benchmarks").map { |name| File.basename(name, ".rb") }
    assert_equal files.sort, Railsbench::Specification.available.sort
    files.each do |name|
      assert_operator Railsbench::Benchmark.named(name), :<, Railsbench::Benchmark
    end
  end
end

class ResultsTest < Minitest::Test
  def test_what_is_recorded_is_on_disk_at_once
    Dir.mktmpdir do |folder|
      results = Railsbench::Results.new(folder, descriptions: { "interp" => "ruby" },
                                                rails_version: "8.0.1", quick: true)
      measurement = { "bench" => [0.5, 0.25], "warmup" => [1.5], "rss" => 1, "extra" => {} }
      results.record("interp", "boot", measurement)

      assert_equal %w[output.csv output.json], Dir.children(folder).sort
      json = JSON.parse(File.read(File.join(folder, "output.json")))
      assert_equal({ "ruby_descriptions" => { "interp" => "ruby" }, "rails_version" => "8.0.1",
                     "quick" => true }, json["metadata"])
      assert_equal({ "interp" => { "boot" => measurement } }, json["raw_data"])
      assert_equal <<~CSV, File.read(File.join(folder, "output.csv"))
        variant,benchmark,phase,iteration,seconds
        interp,boot,warmup,1,1.5
        interp,boot,bench,1,0.5
        interp,boot,bench,2,0.25
      CSV
    end
  end
end

class ProgressTest < Minitest::Test
  def with_pipe
    Dir.mktmpdir do |folder|
      path = File.join(folder, "progress")
      File.mkfifo(path)
      File.open(path, File::RDWR | File::NONBLOCK) { |reader| yield path, reader }
    end
  end

  def test_lines_are_single_json_objects
    with_pipe do |path, reader|
      progress = Railsbench::Progress.open(path)
      progress.begins("boot", "yjit", done: 3, total: 22)
      progress.message("two\nlines")
      lines = reader.read_nonblock(10_000).lines.map { |line| JSON.parse(line) }
      assert_equal [{ "benchmark" => "boot", "variant" => "yjit", "done" => 3, "total" => 22 },
                    { "message" => "two\nlines" }], lines
    end
  end

  def test_no_line_is_longer_than_what_a_pipe_takes_at_once
    with_pipe do |path, reader|
      ["x" * 10_000, "\u0000" * 10_000, "ü" * 10_000].each do |text|
        Railsbench::Progress.open(path).message(text)
        line = reader.read_nonblock(100_000)
        assert_operator line.bytesize, :<=, 4096
        assert text.start_with?(JSON.parse(line).fetch("message"))
      end
    end
  end

  def test_a_pipe_that_nobody_empties_does_not_hold_the_suite_up
    with_pipe do |path, reader|
      progress = Railsbench::Progress.open(path)
      Timeout.timeout(30) { 1_000.times { progress.message("x" * 600) } }
      JSON.parse(reader.read_nonblock(100_000).lines.first)
    end
  end

  def test_an_absent_pipe_is_no_failure
    Dir.mktmpdir do |folder|
      unread = File.join(folder, "unread")
      File.mkfifo(unread)
      [nil, "", File.join(folder, "absent"), unread].each do |path|
        Timeout.timeout(30) { assert_nil Railsbench::Progress.open(path).message("hello") }
      end
    end
  end
end

class ClosedLoopTest < Minitest::Test
  # A server that gives each request the same bytes, whatever it asks.
  def serve(answer)
    server = TCPServer.new("127.0.0.1", 0)
    thread = Thread.new do
      loop do
        Thread.new(server.accept) do |client|
          while (line = client.gets("\r\n"))
            client.write(answer) if line == "\r\n"
          end
        rescue SystemCallError
          nil
        end
      end
    end
    yield server.addr[1]
  ensure
    thread.kill
    server.close
  end

  def run_loop(port, length: 5)
    Railsbench::ClosedLoop.new(
      port: port, clients: 2, first_client: 0, finish: Railsbench::Clock.now + 0.05,
      pages: [{ path: "/", accept: "*/*", length: length }]
    ).run
  end

  WHOLE = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
  CHUNKED = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"

  def test_bodies_with_length_and_in_chunks_are_read_on_one_connection
    [WHOLE, CHUNKED].each do |answer|
      serve(answer) do |port|
        connection = Railsbench::HttpConnection.new(port)
        2.times do
          response = connection.get(Railsbench::HttpConnection.request_for("/"))
          assert_equal [200, "hello"], [response.status, response.body]
        end
        assert_predicate connection, :reusable?
        connection.close
      end
    end
  end

  def test_each_request_gives_when_it_ended_and_how_long_it_took
    serve(WHOLE) do |port|
      before = Railsbench::Clock.now
      times = run_loop(port).each_slice(2).to_a
      assert_operator times.size, :>=, 2
      times.each do |ended, took|
        assert_operator ended, :>, before
        assert_operator took, :>, 0
      end
    end
  end

  def test_a_wrong_answer_is_a_failure
    {
      WHOLE.sub("200 OK", "500 Oops") => /answered 500 with 5 bytes, not 200 with 5/,
      WHOLE.sub("5\r\n\r\nhello", "4\r\n\r\nhell") => /answered 200 with 4 bytes/,
      "HTTP/1.1 200 OK\r\n\r\n" => /neither length nor chunks/,
      "SSH-2.0-x\r\n\r\n" => /starts with "SSH-2.0-x"/
    }.each do |answer, message|
      serve(answer) do |port|
        failure = assert_raises(Railsbench::Failure) { run_loop(port) }
        assert_match message, failure.message
      end
    end
  end

  def test_a_server_that_is_gone_is_a_failure
    port = TCPServer.open("127.0.0.1", 0) { |server| server.addr[1] }
    failure = assert_raises(Railsbench::Failure) { run_loop(port) }
    assert_match(/connection to the server failed/, failure.message)
  end
end

class GemsTest < Minitest::Test
  def test_what_is_installed_passes_and_what_is_not_is_seen
    Railsbench::Gems.check
    refute Railsbench::Gems.installed?("no_such_gem_as_this")
  end
end
