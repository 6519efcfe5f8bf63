# frozen_string_literal: true

require "rbconfig"
require "socket"
require_relative "application"
require_relative "clock"
require_relative "failure"
require_relative "http_connection"

module Railsbench
  # Puma in processes of its own, on a free port of the loopback interface.
  class PumaServer
    # Booting takes about a second; a small, busy machine may take much longer.
    START_SECONDS = 120
    # Answering the last requests takes much less.
    STOP_SECONDS = 10
    PROGRAM = File.expand_path("../../processes/puma.rb", __dir__)

    attr_reader :port, :process_id

    # `log` is the path of a file for what Puma says.
    def initialize(flags:, workers:, log:)
      @flags = flags
      @workers = workers
      @log = log
    end

    def start
      @port = free_port
      # Puma trusts PWD, and ends if that folder is no more.
      environment = { "RAILSBENCH_PUMA_PORT" => @port.to_s, "PWD" => Application::FOLDER,
                      "RAILSBENCH_PUMA_WORKERS" => @workers.to_s }
      @process_id = Process.spawn(environment, RbConfig.ruby, *@flags, PROGRAM,
                                  chdir: Application::FOLDER, in: File::NULL, out: @log,
                                  err: %i[child out])
      wait_until_serving
    end

    def stop
      ended = Process.detach(@process_id)
      Process.kill(:TERM, @process_id)
      Process.kill(:KILL, @process_id) unless ended.join(STOP_SECONDS)
    rescue Errno::ESRCH
      # It has ended already.
      nil
    end

    private

    # Nothing else on the machine starts servers at this time, so it is still free when Puma binds
    # it; if not, Puma ends and says so.
    def free_port
      TCPServer.open("127.0.0.1", 0) { |server| server.addr[1] }
    end

    def wait_until_serving
      finish = Clock.now + START_SECONDS
      until serving?
        if Process.wait(@process_id, Process::WNOHANG)
          raise Failure, "Puma ended with #{$?.to_s.sub(/\Apid \d+ /, "")}: #{last_words}"
        end
        raise Failure, "Puma did not answer in #{START_SECONDS} s: #{last_words}" if
          Clock.now > finish

        sleep 0.05
      end
    end

    def serving?
      connection = HttpConnection.new(@port)
      connection.get(HttpConnection.request_for("/about")).status == 200
    rescue SystemCallError, Failure
      false
    ensure
      connection&.close
    end

    def last_words
      File.read(@log).lines.last(20).join
    end
  end
end
